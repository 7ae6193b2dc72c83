/**
 * Makes the Flux install manifest that http://flux.rehearsal.internal serves in the place of the release's own, which cannot be fetched
 * everywhere. Object names, RBAC and policies are the release's; CRDs come from the pinned Go modules, so those of the controllers that the
 * platform does not use are missing.
 */
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import type { KubeObject } from '../lib/objects.ts'
import { NAMESPACE, controllerObjects, controllers } from './flux-controllers.ts'

const labels = { 'app.kubernetes.io/instance': NAMESPACE, 'app.kubernetes.io/part-of': 'flux' }
const groups = ['source', 'kustomize', 'helm', 'notification', 'image'].map(group => `${group}.toolkit.fluxcd.io`).concat('source.extensions.fluxcd.io')
const rbac = 'rbac.authorization.k8s.io/v1'
const read = ['get', 'list', 'watch']
const write = ['create', 'delete', 'deletecollection', 'patch', 'update']

function cluster(kind: string, name: string, rest: Record<string, unknown>, extra: Record<string, string> = {}): KubeObject {
  return { apiVersion: rbac, kind, metadata: { name, labels: { ...labels, ...extra } }, ...rest }
}

const rule = (apiGroup: string, resources: string[], verbs: string[]) => ({ apiGroups: [apiGroup], resources, verbs })

const controllerRules = [
  ...groups.map(group => rule(group, ['*'], ['*'])),
  rule('', ['namespaces', 'secrets', 'configmaps', 'serviceaccounts'], read),
  rule('', ['events'], ['create', 'patch']),
  rule('', ['configmaps'], [...read, 'create', 'update', 'patch', 'delete']),
  rule('', ['configmaps/status'], ['get', 'update', 'patch']),
  rule('coordination.k8s.io', ['leases'], [...read, 'create', 'update', 'patch', 'delete']),
  rule('', ['serviceaccounts/token'], ['create']),
  { nonResourceURLs: ['/livez/ping'], verbs: ['head'] },
]

const aggregated = (...roles: string[]) => Object.fromEntries(roles.map(role => [`rbac.authorization.k8s.io/aggregate-to-${role}`, 'true']))

function binding(name: string, role: string, accounts: string[]): KubeObject {
  return cluster('ClusterRoleBinding', name, {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: accounts.map(account => ({ kind: 'ServiceAccount', name: account, namespace: NAMESPACE })),
  })
}

const roles = (): KubeObject[] => [
  cluster('ClusterRole', 'crd-controller', { rules: controllerRules }),
  cluster('ClusterRole', 'flux-edit', { rules: [{ apiGroups: groups, resources: ['*'], verbs: write }] }, aggregated('admin', 'edit')),
  cluster('ClusterRole', 'flux-view', { rules: [{ apiGroups: groups, resources: ['*'], verbs: read }] }, aggregated('admin', 'edit', 'view')),
  binding('cluster-reconciler', 'cluster-admin', ['kustomize-controller', 'helm-controller']),
  binding('crd-controller', 'crd-controller', controllers.map(controller => controller.name)),
]

function policy(name: string, spec: Record<string, unknown>): KubeObject {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: NAMESPACE, labels }, spec }
}

const fromAnywhere = (port: number) => [{ from: [{ namespaceSelector: {} }], ports: [{ port, protocol: 'TCP' }] }]

const policies = (): KubeObject[] => [
  policy('allow-egress', { egress: [{}], ingress: [{ from: [{ podSelector: {} }] }], podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
  policy('allow-scraping', { ingress: fromAnywhere(8080), podSelector: {}, policyTypes: ['Ingress'] }),
  policy('allow-webhooks', { ingress: fromAnywhere(9292), podSelector: { matchLabels: { app: 'notification-controller' } }, policyTypes: ['Ingress'] }),
]

const namespace: KubeObject = {
  apiVersion: 'v1', kind: 'Namespace',
  metadata: { name: NAMESPACE, labels: { ...labels, 'pod-security.kubernetes.io/warn': 'restricted', 'pod-security.kubernetes.io/warn-version': 'latest' } },
}

const quota: KubeObject = {
  apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'critical-pods', namespace: NAMESPACE, labels },
  spec: { hard: { pods: '1000' }, scopeSelector: { matchExpressions: [{ operator: 'In', scopeName: 'PriorityClass', values: ['system-node-critical', 'system-cluster-critical'] }] } },
}

/** @returns a CRD of a Go module with the labels that the release gives it. */
function labelled(text: string): KubeObject {
  const crd = parse(text) as KubeObject
  const component = crd.metadata.name.includes('.source.') ? 'source-controller' : crd.metadata.name.includes('.helm.') ? 'helm-controller' : 'kustomize-controller'
  return { ...crd, metadata: { ...crd.metadata, labels: { ...labels, 'app.kubernetes.io/component': component } } }
}

/** @param crdFolder the CRDs that were taken from the Go modules. @returns the manifest's YAML */
export async function fluxManifest(crdFolder: string): Promise<string> {
  const files = (await readdir(crdFolder)).sort()
  const crds = await Promise.all(files.map(async file => labelled(await readFile(path.join(crdFolder, file), 'utf8'))))
  const objects = [namespace, ...crds, ...policies(), quota, ...roles(), ...controllers.flatMap(controllerObjects)]
  return objects.map(object => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n')
}
