/** Turns a Deployment's container into a local process: its own arguments, with what a host process must have in another way. */
import type { KubeObject } from '../lib/objects.ts'

interface EnvVar { name: string, value?: string, valueFrom?: { fieldRef?: { fieldPath?: string } } }
interface Container { args?: string[], env?: EnvVar[] }
interface PodTemplate { spec?: { containers?: Container[], serviceAccountName?: string } }
export type DeploymentObject = KubeObject<{ replicas?: number, template?: PodTemplate }>

/** Where the process keeps what a container would have in its volumes. */
export interface ProcessPlace {
  folder: string
  /** Port on which source-controller serves artifacts. */
  storagePort: number
}

/** Deployments that have a program here, by `namespace/name`. */
export const programOf: Readonly<Record<string, string>> = {
  'flux-system/source-controller': 'source-controller',
  'flux-system/kustomize-controller': 'kustomize-controller',
  'flux-system/helm-controller': 'helm-controller',
  'cert-manager/cert-manager': 'cert-manager',
}

/** @returns the container's variables that can be known here: values, and the pod's namespace. */
function variablesOf(container: Container, namespace: string): Map<string, string> {
  const variables = new Map<string, string>()
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (value !== undefined) variables.set(name, value)
    else if (valueFrom?.fieldRef?.fieldPath === 'metadata.namespace') variables.set(name, namespace)
  }
  return variables
}

/** Expands $(NAME) as kubelet does: `$$(NAME)` is kept as $(NAME), an unknown name stays as it is. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([\w.-]+)\)/g, (all, name?: string) => name === undefined ? '$' : variables.get(name) ?? all)
}

/** Later flags win: these take the place of what only works inside a pod. */
function hostFlags(program: string, place: ProcessPlace): string[] {
  if (program === 'cert-manager') return []
  const common = ['--events-addr=', '--metrics-addr=127.0.0.1:0', '--health-addr=127.0.0.1:0']
  if (program !== 'source-controller') return common
  const address = `127.0.0.1:${place.storagePort}`
  return [...common, `--storage-path=${place.folder}/data`, `--storage-addr=${address}`, `--storage-adv-addr=${address}`]
}

/** @returns the arguments with which the local program runs in the place of the Deployment's container. */
export function processArgs(deployment: DeploymentObject, program: string, place: ProcessPlace): string[] {
  const container = deployment.spec?.template?.spec?.containers?.[0] ?? {}
  const variables = variablesOf(container, deployment.metadata.namespace ?? '')
  const own = (container.args ?? []).map(arg => expand(arg, variables)).filter(arg => !/^--?enable-leader-election(?:=|$)/.test(arg))
  return [...own, ...hostFlags(program, place)]
}

/** @returns what must start the process anew when it changes, as a new pod would: the pod template and the Deployment's identity; undefined for no pod. */
export function revisionOf(deployment: DeploymentObject | undefined): string | undefined {
  if (deployment === undefined || deployment.metadata.deletionTimestamp !== undefined || deployment.spec?.replicas === 0) return undefined
  return JSON.stringify([deployment.metadata.uid, deployment.spec?.template])
}

export const serviceAccountOf = (deployment: DeploymentObject): string => deployment.spec?.template?.spec?.serviceAccountName ?? 'default'
