/** What a cluster had before the platform came: written down by the first install, left alone by every teardown. */
import { type Api, get, ifFound, list, patch, request } from './api.ts'
import { KEPT_LABEL } from './kept-data.ts'
import type { KubeObject } from './objects.ts'
import { FLUX_NAMESPACE } from './platform-tree.ts'
import { type Resource, CustomResourceDefinition, Namespace, pathOf } from './resources.ts'

/** Names of namespaces and definitions that the platform did not bring. */
export interface Neighbours { namespaces: string[], definitions: string[] }

const NEIGHBOURS = { namespace: FLUX_NAMESPACE, name: 'homelab-neighbours' }
const ConfigMap: Resource = { kind: 'ConfigMap', apiVersion: 'v1', plural: 'configmaps', namespaced: true }

const OURS = ['kustomize.toolkit.fluxcd.io/namespace', 'helm.toolkit.fluxcd.io/namespace']
const isOurs = ({ metadata: { labels = {} } }: KubeObject): boolean =>
  OURS.some(label => labels[label] === FLUX_NAMESPACE) || labels['app.kubernetes.io/part-of'] === 'flux' || labels[KEPT_LABEL] !== undefined

/** @returns the namespaces and definitions of a cluster that the platform did not bring. */
async function surveyCluster(api: Api): Promise<Neighbours> {
  const [namespaces, definitions] = await Promise.all([list(api, Namespace), list(api, CustomResourceDefinition)])
  const names = (objects: KubeObject[]) => objects.filter(one => !isOurs(one)).map(one => one.metadata.name)
  return { namespaces: names(namespaces.items), definitions: names(definitions.items) }
}

/** @returns on the first install the ConfigMap that keeps the cluster's neighbours; nothing when it is there already. */
export async function neighboursToRecord(api: Api): Promise<KubeObject[]> {
  return await readNeighbours(api) === undefined ? [renderNeighbours(await surveyCluster(api))] : []
}

/** @returns the neighbours that the first install wrote down; undefined where no install did. */
export async function readNeighbours(api: Api): Promise<Neighbours | undefined> {
  const found = await get<KubeObject & { data?: Record<string, string> }>(api, ConfigMap, NEIGHBOURS)
  if (found === undefined) return undefined
  const lines = (key: string) => (found.data?.[key] ?? '').split('\n').filter(line => line !== '')
  return { namespaces: lines('namespaces'), definitions: lines('definitions') }
}

function renderNeighbours({ namespaces, definitions }: Neighbours): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: NEIGHBOURS, data: { namespaces: namespaces.join('\n'), definitions: definitions.join('\n') } } as KubeObject
}

const PRUNE = 'kustomize.toolkit.fluxcd.io/prune'

/** Keeps Flux from pruning namespaces, whichever layer has them. */
export async function keepFromPrune(api: Api, names: string[]): Promise<void> {
  await Promise.all(names.map(name => ifFound(() => patch(api, Namespace, { name, body: { metadata: { annotations: { [PRUNE]: 'disabled' } } } }))))
}

/** Takes back the labels of releases from definitions that stay: a later teardown would take them for the platform's own. */
export async function releaseDefinitions(api: Api, names: string[]): Promise<void> {
  const labels = { 'helm.toolkit.fluxcd.io/name': null, 'helm.toolkit.fluxcd.io/namespace': null }
  await Promise.all(names.map(name => ifFound(() => patch(api, CustomResourceDefinition, { name, body: { metadata: { labels } } }))))
}

/**
 * Takes back what Flux and these tasks wrote on namespaces that stay: an empty server-side apply in Flux's name removes the fields that are
 * Flux's alone. Without it the next install would take the namespace for one of its own, and the next teardown would delete it.
 */
export async function releaseNamespaces(api: Api, names: string[]): Promise<void> {
  await Promise.all(names.map(async name => {
    // an apply would make one that is gone
    if (await get(api, Namespace, { name }) === undefined) return
    await patch(api, Namespace, { name, body: { metadata: { annotations: { [PRUNE]: null } } } })
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
    await request(api, 'PATCH', `${pathOf(Namespace, { name })}?fieldManager=kustomize-controller&force=true`, { body, contentType: 'application/apply-patch+yaml' })
  }))
}
