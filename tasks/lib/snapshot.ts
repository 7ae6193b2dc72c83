/** What the platform is made of, read from the cluster: Flux objects, issuers, certificates and the pods behind them. */
import { setMaxListeners } from 'node:events'
import { type Api, get, list } from './api.ts'
import type { KubeObject } from './objects.ts'
import * as resources from './resources.ts'
import type { Resource } from './resources.ts'
import { type Watched, watch } from './watch.ts'

export interface FluxReference { kind: string, name: string, namespace?: string }

export type GitRepositoryObject = KubeObject<{ url: string, ref?: { branch?: string }, suspend?: boolean }, { artifact?: { revision: string, lastUpdateTime?: string }, lastHandledReconcileAt?: string }>
export type KustomizationObject = KubeObject<
  { dependsOn?: { name: string }[], path?: string, suspend?: boolean, sourceRef: FluxReference, patches?: unknown[], postBuild?: { substitute?: Record<string, string>, substituteFrom?: { kind: string, name: string, optional?: boolean }[] } },
  { lastAppliedRevision?: string, lastAttemptedRevision?: string, lastHandledReconcileAt?: string, inventory?: { entries: { id: string, v: string }[] } }
>
export type HelmReleaseObject = KubeObject<
  { chartRef?: FluxReference, chart?: { spec: { chart: string, version?: string } }, releaseName?: string, targetNamespace?: string, storageNamespace?: string, suspend?: boolean, dependsOn?: { name: string, namespace?: string }[], driftDetection?: DriftDetection },
  { history?: { chartName: string, chartVersion: string, version: number, status: string }[], lastHandledReconcileAt?: string, helmChart?: string, storageNamespace?: string }
>
export interface DriftDetection { mode?: string, ignore?: { paths: string[], target?: { kind?: string, name?: string, namespace?: string } }[] }
export type ChartSourceObject = KubeObject<{ ref?: { tag?: string }, url?: string, version?: string, chart?: string, suspend?: boolean }, { artifact?: { revision: string } }>
export type CertificateObject = KubeObject<{ secretName: string, dnsNames?: string[], issuerRef: { kind?: string, name: string } }>
export type PodObject = KubeObject<{ nodeName?: string }, {
  phase?: string, message?: string, reason?: string
  containerStatuses?: ContainerStatus[], initContainerStatuses?: ContainerStatus[]
}>
export interface ContainerStatus {
  name: string
  ready: boolean
  restartCount: number
  state?: { waiting?: { reason?: string, message?: string }, terminated?: { reason?: string, exitCode?: number } }
}
export type DeploymentObject = KubeObject<{ replicas?: number }, { readyReplicas?: number, updatedReplicas?: number, replicas?: number, availableReplicas?: number }>
export type AcmeObject = KubeObject<{ dnsName?: string }, { state?: string, reason?: string }>

/** Every kind that tasks follow, by the snapshot's field. */
export const followed = {
  gitRepositories: resources.GitRepository,
  ociRepositories: resources.OCIRepository,
  helmRepositories: resources.HelmRepository,
  helmCharts: resources.HelmChart,
  kustomizations: resources.Kustomization,
  releases: resources.HelmRelease,
  issuers: resources.ClusterIssuer,
  certificates: resources.Certificate,
  certificateRequests: resources.CertificateRequest,
  orders: resources.Order,
  challenges: resources.Challenge,
  deployments: resources.Deployment,
  pods: resources.Pod,
} satisfies Record<string, Resource>

export interface Snapshot {
  gitRepositories: GitRepositoryObject[]
  ociRepositories: ChartSourceObject[]
  helmRepositories: ChartSourceObject[]
  helmCharts: ChartSourceObject[]
  kustomizations: KustomizationObject[]
  releases: HelmReleaseObject[]
  issuers: KubeObject[]
  certificates: CertificateObject[]
  certificateRequests: KubeObject[]
  orders: AcmeObject[]
  challenges: AcmeObject[]
  deployments: DeploymentObject[]
  pods: PodObject[]
}

const fields = Object.keys(followed) as (keyof Snapshot)[]

/** Reads everything once, all kinds at the same time. */
export async function readSnapshot(api: Api): Promise<Snapshot> {
  const entries = await Promise.all(fields.map(async field => [field, (await list(api, followed[field])).items] as const))
  return Object.fromEntries(entries) as unknown as Snapshot
}

export interface Follower {
  /** @returns the newest state of the platform's own objects. */
  snapshot: () => Snapshot
  /** @returns false until every kind has been listed once, and while the API server is away. */
  synced: () => boolean
}

/** Follows everything by one watch stream per kind, whatever the number of objects. */
export function followSnapshot(api: Api, options: { signal: AbortSignal, onChange: () => void }): Follower {
  // every stream listens on the one signal
  setMaxListeners(0, options.signal)
  const watched = new Map<keyof Snapshot, Watched<KubeObject>>(fields.map(field => [field, watch(api, followed[field], options)]))
  return {
    snapshot: () => platformOnly(Object.fromEntries([...watched].map(([field, kind]) => [field, [...kind.objects.values()]])) as unknown as Snapshot),
    synced: () => [...watched.values()].every(kind => kind.synced),
  }
}

/** @returns true when the platform's source and root are in the cluster. */
export async function isInstalled(api: Api): Promise<boolean> {
  const name = { namespace: FLUX_NAMESPACE, name: ROOT }
  const [source, root] = await Promise.all([get(api, resources.GitRepository, name), get(api, resources.Kustomization, name)])
  return source !== undefined && root !== undefined
}

const APPLIED_BY = 'kustomize.toolkit.fluxcd.io/namespace'
const FLUX_NAMESPACE = 'flux-system'
/** Name of the platform's GitRepository and root Flux Kustomization. */
export const ROOT = 'home'

const applied = (object: KubeObject): boolean => object.metadata.labels?.[APPLIED_BY] === FLUX_NAMESPACE

/** @returns the name of the layer that applied an object; empty for what none did, as the root. */
export const layerOf = (object: KubeObject): string => object.metadata.labels?.['kustomize.toolkit.fluxcd.io/name'] ?? ''

/** Reads the platform's releases alone. */
export async function readReleases(api: Api): Promise<HelmReleaseObject[]> {
  return (await list<HelmReleaseObject>(api, followed.releases)).items.filter(applied)
}

/** @returns the snapshot without what others keep in the same cluster: only what the root, and what it applied, brought. */
export function platformOnly(snapshot: Snapshot): Snapshot {
  const root = (object: KubeObject) => object.metadata.namespace === FLUX_NAMESPACE && object.metadata.name === ROOT
  const charts = new Set(snapshot.releases.filter(applied).map(release => `${release.metadata.namespace}-${release.metadata.name}`))
  return {
    ...snapshot,
    gitRepositories: snapshot.gitRepositories.filter(root),
    kustomizations: snapshot.kustomizations.filter(object => root(object) || applied(object)),
    ociRepositories: snapshot.ociRepositories.filter(applied),
    helmRepositories: snapshot.helmRepositories.filter(applied),
    helmCharts: snapshot.helmCharts.filter(chart => charts.has(chart.metadata.name)),
    releases: snapshot.releases.filter(applied),
    issuers: snapshot.issuers.filter(applied),
    certificates: snapshot.certificates.filter(applied),
  }
}
