/** Lists everything the platform has in a cluster: what Flux applied, what releases installed, what Flux itself is made of. */
import { gunzipSync } from 'node:zlib'
import { type Api, list } from './api.ts'
import { parseManifests } from './apply.ts'
import { inventoryOf } from './flux-state.ts'
import { KEPT_LABEL } from './kept-data.ts'
import type { KubeObject } from './objects.ts'
import { FLUX_NAMESPACE } from './platform-tree.ts'
import { type Resource, CustomResourceDefinition, Namespace, Secret } from './resources.ts'
import type { HelmReleaseObject, Snapshot } from './snapshot.ts'

/** One object that must be gone after a teardown. */
export interface Item {
  apiVersion: string
  kind: string
  namespace?: string
  name: string
  /** What brought it: `Kustomization/…`, `HelmRelease/…` or `Flux`. */
  from: string
}

const ClusterRole: Resource = { kind: 'ClusterRole', apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'clusterroles', namespaced: false }
const ClusterRoleBinding: Resource = { kind: 'ClusterRoleBinding', apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'clusterrolebindings', namespaced: false }
const FLUX_LABELS = 'labelSelector=app.kubernetes.io/part-of%3Dflux,app.kubernetes.io/instance%3Dflux-system'
const CHART_LABELS = 'labelSelector=helm.toolkit.fluxcd.io/namespace%3Dflux-system'

const itemOf = (object: KubeObject, from: string, namespace = object.metadata.namespace): Item =>
  ({ apiVersion: object.apiVersion, kind: object.kind, ...(namespace ? { namespace } : {}), name: object.metadata.name, from })

export interface StoredRelease { name: string, namespace: string, manifest: string, hooks?: { manifest: string }[] }

/** Reads Helm's record of a release: base64 (of the Secret) around base64 around gzip around JSON. */
export function decodeRelease(data: string): StoredRelease {
  return JSON.parse(gunzipSync(Buffer.from(Buffer.from(data, 'base64').toString(), 'base64')).toString()) as StoredRelease
}

async function releaseItems(api: Api, release: HelmReleaseObject): Promise<Item[]> {
  const namespace = release.status?.storageNamespace ?? release.spec?.storageNamespace ?? release.metadata.namespace ?? FLUX_NAMESPACE
  const name = release.spec?.releaseName ?? release.metadata.name
  const stored = await list<KubeObject & { data?: Record<string, string> }>(api, Secret, { namespace, query: `labelSelector=owner%3Dhelm,name%3D${name}` })
  const from = `HelmRelease/${release.metadata.namespace}/${release.metadata.name}`
  return stored.items.flatMap(secret => {
    const record = decodeRelease(secret.data?.release ?? '')
    return [itemOf(secret, from), ...parseManifests(record.manifest).map(object => itemOf(object, from, object.metadata.namespace ?? record.namespace))]
  })
}

/** @returns the definitions that charts brought, namespaces of data that was kept, and all of Flux's own cluster-scoped objects. */
async function clusterItems(api: Api): Promise<Item[]> {
  const [chartDefinitions, kept, ...flux] = await Promise.all([
    list(api, CustomResourceDefinition, { query: CHART_LABELS }), list(api, Namespace, { query: `labelSelector=${encodeURIComponent(KEPT_LABEL)}` }),
    ...[CustomResourceDefinition, ClusterRole, ClusterRoleBinding, Namespace].map(kind => list(api, kind, { query: FLUX_LABELS })),
  ])
  return [...(chartDefinitions?.items ?? []).map(object => itemOf(object, 'a chart')), ...(kept?.items ?? []).map(object => itemOf(object, 'an earlier teardown')), ...flux.flatMap(kind => kind.items).map(object => itemOf(object, 'Flux'))]
}

/** @returns Secrets that cert-manager made for the platform: they have no owner, and in a namespace that stays they would stay as well. */
function certificateItems(snapshot: Snapshot): Item[] {
  return snapshot.certificates.map(({ metadata, spec }): Item => ({
    apiVersion: 'v1', kind: 'Secret', ...(metadata.namespace ? { namespace: metadata.namespace } : {}), name: spec?.secretName ?? '', from: 'cert-manager',
  }))
}

/** Tells items apart. */
export const keyOf = (item: Pick<Item, 'kind' | 'namespace' | 'name'>): string => `${item.kind}/${item.namespace ?? ''}/${item.name}`

/** @returns the key of the item that stands for an object. */
export const keyOfObject = ({ kind, metadata: { namespace = '', name } }: KubeObject): string => keyOf({ kind, namespace, name })

/** @param snapshot the platform's own objects. @returns every object that the platform brought, each once. */
export async function takeInventory(api: Api, snapshot: Snapshot): Promise<Item[]> {
  const applied = snapshot.kustomizations.flatMap(layer => inventoryOf(layer).map((entry): Item => ({
    apiVersion: entry.group === '' ? entry.version : `${entry.group}/${entry.version}`, kind: entry.kind,
    ...(entry.namespace ? { namespace: entry.namespace } : {}), name: entry.name, from: `Kustomization/${FLUX_NAMESPACE}/${layer.metadata.name}`,
  })))
  const released = (await Promise.all(snapshot.releases.map(release => releaseItems(api, release)))).flat()
  const own = [...snapshot.gitRepositories, ...snapshot.kustomizations, ...snapshot.helmCharts].map(object => itemOf(object, 'Flux'))
  const all = [...applied, ...released, ...own, ...certificateItems(snapshot), ...await clusterItems(api)]
  return [...new Map(all.map(item => [keyOf(item), item])).values()]
}
