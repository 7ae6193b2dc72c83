/** The controllers of a Flux release as Kubernetes objects: names, arguments and shapes as `install.yaml` has them. */
import type { KubeObject } from '../lib/objects.ts'

export const FLUX_VERSION = 'v2.9.5'
export const NAMESPACE = 'flux-system'

interface Controller {
  name: string
  version: string
  /** Serves artifacts on port 9090, through a Service of its own name. */
  storage?: boolean
  critical?: boolean
  /** notification-controller gets events, it sends none. */
  sendsEvents: boolean
}

export const controllers: readonly Controller[] = [
  { name: 'source-controller', version: 'v1.9.6', storage: true, critical: true, sendsEvents: true },
  { name: 'kustomize-controller', version: 'v1.9.5', critical: true, sendsEvents: true },
  { name: 'helm-controller', version: 'v1.6.5', critical: true, sendsEvents: true },
  { name: 'notification-controller', version: 'v1.9.4', sendsEvents: false },
  { name: 'image-reflector-controller', version: 'v1.2.5', sendsEvents: true },
  { name: 'image-automation-controller', version: 'v1.2.5', sendsEvents: true },
  { name: 'source-watcher', version: 'v2.2.4', storage: true, critical: true, sendsEvents: true },
]

function labelsOf(controller: Controller): Record<string, string> {
  return { 'app.kubernetes.io/component': controller.name, 'app.kubernetes.io/instance': NAMESPACE, 'app.kubernetes.io/part-of': 'flux' }
}

function argsOf(controller: Controller): string[] {
  const events = controller.sendsEvents ? [`--events-addr=http://notification-controller.${NAMESPACE}.svc.cluster.local./`] : []
  const storage = controller.storage === true ? ['--storage-path=/data', `--storage-adv-addr=${controller.name}.$(RUNTIME_NAMESPACE).svc.cluster.local.`] : []
  return [...events, '--watch-all-namespaces', '--log-level=info', '--log-encoding=json', '--enable-leader-election', ...storage]
}

function containerOf(controller: Controller): Record<string, unknown> {
  const port = (name: string, containerPort: number) => ({ name, containerPort, protocol: 'TCP' })
  const probe = (path: string) => ({ httpGet: { path, port: 'healthz' } })
  return {
    name: 'manager', image: `ghcr.io/fluxcd/${controller.name}:${controller.version}`, imagePullPolicy: 'IfNotPresent',
    args: argsOf(controller),
    env: [
      { name: 'RUNTIME_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'GOMEMLIMIT', valueFrom: { resourceFieldRef: { containerName: 'manager', resource: 'limits.memory' } } },
    ],
    ports: [...controller.storage === true || !controller.sendsEvents ? [port('http', 9090)] : [], port('http-prom', 8080), port('healthz', 9440)],
    livenessProbe: probe('/healthz'), readinessProbe: controller.storage === true ? { httpGet: { path: '/', port: 'http' } } : probe('/readyz'),
    resources: { limits: { cpu: '1000m', memory: '1Gi' }, requests: { cpu: controller.storage === true ? '50m' : '100m', memory: '64Mi' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    volumeMounts: [...controller.storage === true ? [{ name: 'data', mountPath: '/data' }] : [], { name: 'temp', mountPath: '/tmp' }],
  }
}

function deploymentOf(controller: Controller): KubeObject {
  const app = { app: controller.name }
  return {
    apiVersion: 'apps/v1', kind: 'Deployment',
    metadata: { name: controller.name, namespace: NAMESPACE, labels: { ...labelsOf(controller), 'control-plane': 'controller' } },
    spec: {
      replicas: 1, selector: { matchLabels: app }, ...controller.storage === true ? { strategy: { type: 'Recreate' } } : {},
      template: {
        metadata: { annotations: { 'prometheus.io/port': '8080', 'prometheus.io/scrape': 'true' }, labels: { ...app, ...labelsOf(controller) } },
        spec: {
          containers: [containerOf(controller)], nodeSelector: { 'kubernetes.io/os': 'linux' }, securityContext: { fsGroup: 1337 },
          ...controller.critical === true ? { priorityClassName: 'system-cluster-critical' } : {},
          serviceAccountName: controller.name, terminationGracePeriodSeconds: controller.storage === true ? 10 : 60,
          volumes: [...controller.storage === true ? [{ name: 'data', emptyDir: {} }] : [], { name: 'temp', emptyDir: {} }],
        },
      },
    },
  }
}

function serviceOf(controller: Controller, name: string, targetPort: string): KubeObject {
  return {
    apiVersion: 'v1', kind: 'Service',
    metadata: { name, namespace: NAMESPACE, labels: { ...labelsOf(controller), 'control-plane': 'controller' } },
    spec: { type: 'ClusterIP', selector: { app: controller.name }, ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort }] },
  }
}

/** @returns ServiceAccount, Services and Deployment of one controller. */
export function controllerObjects(controller: Controller): KubeObject[] {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: controller.name, namespace: NAMESPACE, labels: labelsOf(controller) } }
  const services = controller.storage === true || !controller.sendsEvents ? [serviceOf(controller, controller.name, 'http')] : []
  if (!controller.sendsEvents) services.push(serviceOf(controller, 'webhook-receiver', 'http-webhook'))
  return [account, ...services, deploymentOf(controller)]
}
