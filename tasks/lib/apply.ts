/** Applies manifests of any kind by server-side apply, in the order that the API server needs. */
import { setTimeout as pause } from 'node:timers/promises'
import { type DocumentOptions, type SchemaOptions, parseAllDocuments } from 'yaml'
import { type Api, ApiError, FIELD_MANAGER, apply, request } from './api.ts'
import { TaskError, failure, messageOf } from './errors.ts'
import { type KubeObject, refOf } from './objects.ts'
import { type Resource, pathOf } from './resources.ts'
import { webhookFix } from './webhooks.ts'

interface ApiResourceList { resources: { name: string, kind: string, namespaced: boolean, verbs: string[] }[] }

const WAIT_FOR_KIND_MS = 20_000

// Kubernetes reads YAML 1.1 (0644 is octal, yes is true) but knows neither its dates nor its numbers in base 60.
const kubernetesYaml: DocumentOptions & SchemaOptions = {
  version: '1.1',
  customTags: tags => tags.filter(tag => typeof tag === 'string' || (tag.format !== 'TIME' && tag.tag !== 'tag:yaml.org,2002:timestamp')),
}

/** @returns the objects of a multi-document YAML text. @throws with the parser's words */
export function parseManifests(text: string): KubeObject[] {
  return parseAllDocuments(text, kubernetesYaml).flatMap(document => {
    const [fault] = document.errors
    if (fault) throw failure('a manifest is not valid YAML', { why: fault.message })
    const object = document.toJS() as KubeObject | null
    return object === null ? [] : [object]
  })
}

/** Looks resources up by kind, one discovery request per group version; remembers what it found. */
export function makeResourceFinder(api: Api): (object: Pick<KubeObject, 'apiVersion' | 'kind'>) => Promise<Resource | undefined> {
  const known = new Map<string, Promise<ApiResourceList>>()
  return async ({ apiVersion, kind }) => {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const lookup = known.get(root) ?? request<ApiResourceList>(api, 'GET', root)
    known.set(root, lookup)
    try {
      const found = (await lookup).resources.find(one => one.kind === kind && !one.name.includes('/'))
      if (found === undefined) known.delete(root)
      return found && { kind, apiVersion, plural: found.name, namespaced: found.namespaced }
    } catch (error) {
      known.delete(root)
      if (error instanceof ApiError && error.status === 404) return undefined
      throw error
    }
  }
}

async function whenServed(find: ReturnType<typeof makeResourceFinder>, object: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): Promise<Resource> {
  const end = Date.now() + WAIT_FOR_KIND_MS
  for (;;) {
    const resource = await find(object)
    if (resource !== undefined) return resource
    if (Date.now() > end) throw failure(`the cluster does not know the kind of ${refOf(object)}`, { why: `${object.apiVersion} is not served` })
    await pause(50)
  }
}

interface Definition { group: string, names: { kind: string }, versions: { name: string, served: boolean }[] }

/** @returns the kinds that a definition brings; none for other objects. */
function kindsOf(object: KubeObject): Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>[] {
  if (object.kind !== 'CustomResourceDefinition') return []
  const { group, names, versions } = object.spec as unknown as Definition
  return versions.filter(({ served }) => served).map(({ name }) => ({ apiVersion: `${group}/${name}`, kind: names.kind, metadata: object.metadata }))
}

const stages: ((object: KubeObject) => boolean)[] = [
  object => object.kind === 'Namespace' || object.kind === 'CustomResourceDefinition',
  object => !object.apiVersion.includes('.fluxcd.io/'),
  () => true,
]

/** Asks for a kind once: the API server fills its watch cache only then, and sends who wants to watch before it is full away for a second (seen on 1.36). */
async function openStorage(api: Api, resource: Resource): Promise<void> {
  try {
    await request(api, 'GET', `${pathOf(resource)}?limit=1`)
  } catch (error) {
    // asked too early: it was opened by that
    if (!(error instanceof ApiError && [404, 429].includes(error.status))) throw error
  }
}

/**
 * Applies all objects: namespaces and definitions first, custom resources last, everything within a stage at the same time.
 * @returns how many objects were created or changed
 */
export async function applyAll(api: Api, objects: KubeObject[]): Promise<{ changed: number, total: number }> {
  const find = makeResourceFinder(api)
  let changed = 0
  let rest = objects
  for (const belongs of stages) {
    const stage = rest.filter(belongs)
    rest = rest.filter(object => !belongs(object))
    await Promise.all(stage.map(async object => {
      const resource = await whenServed(find, object)
      const before = await versionOf(api, resource, object)
      const after = await applyServed(api, resource, object)
      if (after.metadata.resourceVersion !== before) changed += 1
    }))
    // a controller that starts before its kinds are served ends with an error, and kubelet makes it wait before it tries again
    await Promise.all(stage.flatMap(kindsOf).map(async kind => openStorage(api, await whenServed(find, kind))))
  }
  return { changed, total: objects.length }
}

async function versionOf(api: Api, resource: Resource, object: KubeObject): Promise<string | undefined> {
  try {
    const path = pathOf(resource, { namespace: object.metadata.namespace, name: object.metadata.name })
    const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
    return (await request<KubeObject>(api, 'GET', path, { accept })).metadata.resourceVersion
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}

// A definition that was just applied answers 404 for an instant more.
async function applyServed(api: Api, resource: Resource, object: KubeObject): Promise<KubeObject> {
  const end = Date.now() + WAIT_FOR_KIND_MS
  for (;;) {
    try {
      return await apply(api, resource, object)
    } catch (error) {
      const why = (error instanceof TaskError ? error.details.why : undefined) ?? ''
      if (Date.now() > end || !/could not find the requested resource|page not found/i.test(`${messageOf(error)} ${why}`)) throw await withWebhookFix(api, error)
      await pause(100)
    }
  }
}

async function withWebhookFix(api: Api, error: unknown): Promise<unknown> {
  const fix = error instanceof TaskError ? await webhookFix(api, error.details.why ?? '') : undefined
  return error instanceof TaskError && fix !== undefined ? failure(error.message, { ...error.details, fix: `${fix}\nthen the same command again` }) : error
}

/** @returns true when an object was last applied by these tasks. */
export function isOurs(object: KubeObject & { metadata: { managedFields?: { manager: string }[] } }): boolean {
  return object.metadata.managedFields?.some(field => field.manager === FIELD_MANAGER) ?? false
}
