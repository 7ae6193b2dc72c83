/** Finds what really holds a removal back: the object with the finalizer, not the layers, releases and namespaces that wait for it. */
import { type Api, ApiError, ifFound, isUnreachable, list, request } from './api.ts'
import { apiServiceFix } from './api-services.ts'
import { makeResourceFinder } from './apply.ts'
import { type Item, keyOf, keyOfObject } from './inventory.ts'
import { type KubeObject, refOf } from './objects.ts'
import { findExisting, holdWords, inParallel } from './removal.ts'
import { type Resource, pathOf } from './resources.ts'
import { webhookFix } from './webhooks.ts'

export interface Leftover {
  object: KubeObject
  words: string
  /** Whether it would stay for ever: a finalizer that nobody removes, a webhook in the way, nobody who deletes it. */
  held: boolean
  /** Command that lets it go, or shows whether its controller runs; none for what only waits for another leftover. */
  fix?: string
}

interface ResourceList { groupVersion: string, resources: { name: string, kind: string, namespaced: boolean, verbs: string[] }[] }

const FLUX_FINALIZER = 'finalizers.fluxcd.io'

// of controllers that wait until others have gone: taking these off would leave the others behind
const waits = (object: KubeObject): boolean => object.kind === 'Namespace' || (object.metadata.finalizers ?? []).every(name => name === FLUX_FINALIZER || name.startsWith('foregroundDeletion'))
const isStuck = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers ?? []).length > 0 && !waits(object)
const transient = ['Event', 'Lease', 'EndpointSlice', 'Endpoints']

/** @returns everything in a namespace, by discovery: what holds it may be in no inventory. */
async function contentOf(api: Api, namespace: string): Promise<KubeObject[]> {
  // an API that nobody serves holds nothing that could be told here, and is not waited for
  const now: Api = { ...api, patience: 0 }
  const { groups } = await request<{ groups: { preferredVersion: { groupVersion: string } }[] }>(now, 'GET', '/apis')
  const roots = ['/api/v1', ...groups.map(group => `/apis/${group.preferredVersion.groupVersion}`)]
  const found = await inParallel(roots, async root => {
    const served = await ifFound(() => request<ResourceList>(now, 'GET', root)).catch((error: unknown) => {
      if (!isUnreachable(error)) throw error
    })
    const kinds = (served?.resources ?? []).filter(one => one.namespaced && one.verbs.includes('list') && !one.name.includes('/') && !transient.includes(one.kind))
    return Promise.all(kinds.map(async one => (await list(api, { kind: one.kind, apiVersion: served?.groupVersion ?? '', plural: one.name, namespaced: true }, { namespace })).items))
  })
  return found.flat(2)
}

/** @returns the API server's words against deleting an object: those of a webhook that does not answer, or that refuses. */
async function refusalOf(api: Api, resource: Resource, object: KubeObject): Promise<string | undefined> {
  try {
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] }
    await ifFound(() => request(api, 'DELETE', pathOf(resource, object.metadata), { body }))
    return undefined
  } catch (error) {
    if (error instanceof ApiError) return error.message
    throw error
  }
}

function commandFor(object: KubeObject): string {
  const { name, namespace, finalizers = [] } = object.metadata
  const group = object.apiVersion.includes('/') ? `.${object.apiVersion.split('/')[0]}` : ''
  const target = `${object.kind.toLowerCase()}${group} ${name}${namespace === undefined ? '' : ` -n ${namespace}`}`
  if (isStuck(object)) return `kubectl patch ${target} --type=merge -p '{"metadata":{"finalizers":null}}'`
  if (waits(object) && finalizers.includes(FLUX_FINALIZER)) return 'kubectl -n flux-system get deployments   # its controller has to run'
  return object.kind === 'Namespace' ? `kubectl get namespace ${name} -o yaml` : `kubectl delete ${target} --ignore-not-found`
}

async function explain(api: Api, object: KubeObject, resource: Resource | undefined): Promise<Leftover> {
  const refused = object.metadata.deletionTimestamp === undefined && resource ? await refusalOf(api, resource, object) : undefined
  const words = refused === undefined ? holdWords(object) : `cannot be deleted: ${refused}`
  const fix = await webhookFix(api, words) ?? await apiServiceFix(api, words) ?? (refused !== undefined || isStuck(object) ? commandFor(object) : undefined)
  return { object, words, held: fix !== undefined, ...(fix === undefined ? {} : { fix }) }
}

/** @returns what the waiting ones wait for: their releases' objects and whatever else is in their namespaces. */
async function deeper(api: Api, left: KubeObject[], items: Item[]): Promise<KubeObject[]> {
  const owners = new Set(left.map(object => refOf(object)))
  const namespaces = left.filter(object => object.kind === 'Namespace').map(object => object.metadata.name)
  const released = await findExisting(api, items.filter(item => owners.has(item.from)))
  const contents = (await Promise.all(namespaces.map(name => contentOf(api, name)))).flat()
  return [...released, ...contents.filter(object => object.metadata.deletionTimestamp !== undefined)]
}

/** @returns whether an object only takes its time: it is being deleted, or its owner, its release, its layer or what is in it is still there as well. */
function isOnItsWay(object: KubeObject, all: KubeObject[], items: Item[]): boolean {
  const { deletionTimestamp, finalizers = [], ownerReferences = [], name } = object.metadata
  if (object.kind === 'Namespace') return all.some(one => one.metadata.namespace === name)
  if (deletionTimestamp !== undefined) return !finalizers.includes(FLUX_FINALIZER)
  const bringers = items.filter(item => keyOf(item) === keyOfObject(object)).map(item => item.from)
  return ownerReferences.length > 0 || all.some(one => bringers.includes(refOf(one)))
}

/**
 * Explains what is left by what holds it, holders first. Where nothing is held there is a fix only for what nobody removes.
 * @param left objects that did not go; items everything that the platform brought, to look for holders among it
 */
export async function explainLeft(api: Api, left: KubeObject[], items: Item[]): Promise<Leftover[]> {
  const find = makeResourceFinder(api)
  const all = [...new Map([...left, ...await deeper(api, left, items)].map(object => [refOf(object), object])).values()]
  const explained = await inParallel(all, async object => explain(api, object, await find(object)))
  const held = explained.filter(one => one.held)
  if (held.length > 0) return [...held, ...explained.filter(one => !one.held)]
  return explained.map(one => isOnItsWay(one.object, all, items) ? one : { ...one, held: one.object.metadata.deletionTimestamp === undefined, fix: commandFor(one.object) })
}
