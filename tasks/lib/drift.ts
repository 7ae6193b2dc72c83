/**
 * Compares every object that Flux manages with what it shall be: layers with their path in Git at the commit they have, releases with the
 * manifest that Helm stored (hooks, and what a chart keeps in its crds folder, left out). The API server itself answers: server-side apply in a
 * dry run, under the controller's own name, and whatever the answer has otherwise than the cluster is drift. So defaults, other owners' fields
 * and injected authorities are none. Fields that Git does not name count where kubectl added them to a layer's object, which Flux undoes;
 * added to a release's object they stay, and do not count.
 */
import { type Api, ApiError, get, request } from './api.ts'
import { makeResourceFinder, parseManifests } from './apply.ts'
import { additions, describeDifference, differences, editorOf } from './compare.ts'
import { inventoryOf } from './flux-state.ts'
import { decodeRelease } from './inventory.ts'
import type { KubectlAccess } from './kubectl.ts'
import { type KubeObject, refOf } from './objects.ts'
import type { Check } from './proof.ts'
import { inParallel } from './removal.ts'
import { renderLayers } from './render.ts'
import { type Resource, Secret, pathOf } from './resources.ts'
import type { HelmReleaseObject, KustomizationObject, Snapshot } from './snapshot.ts'

const SHOWN = 3

/** An object as it shall be; without `manager` only that it is there can be proved. */
interface Wanted {
  object: KubeObject
  manager?: 'kustomize-controller' | 'helm-controller'
  /** Paths of fields that the HelmRelease says to ignore, `/spec/replicas`. */
  ignored?: string[]
}

export interface DriftOptions { kubectl: KubectlAccess, secrets: readonly string[] }

const settingOf = ({ metadata }: KubeObject, key: string): string => metadata.annotations?.[key] ?? metadata.labels?.[key] ?? ''
const isLeftAlone = (object: KubeObject): boolean => settingOf(object, 'kustomize.toolkit.fluxcd.io/reconcile') === 'disabled'
  || ['IfNotPresent', 'Ignore'].includes(settingOf(object, 'kustomize.toolkit.fluxcd.io/ssa')) || settingOf(object, 'helm.toolkit.fluxcd.io/driftDetection') === 'disabled'

const inventoried = (layer: KustomizationObject): Wanted[] => inventoryOf(layer).map(({ group, version, kind, name, namespace }) => (
  { object: { apiVersion: group === '' ? version : `${group}/${version}`, kind, metadata: { name, ...(namespace ? { namespace } : {}) } } }
))

async function wantedByLayers(api: Api, layers: KustomizationObject[], kubectl: KubectlAccess): Promise<{ wanted: Wanted[], unknown: Check[] }> {
  const rendered = await renderLayers(api, kubectl, layers)
  const unknown = rendered.flatMap(([layer, result]): Check[] => 'unknown' in result ? [{ subject: `${refOf(layer)} objects`, ok: true, words: `not compared with Git, only known to be there: ${result.unknown}`, compared: 'none' }] : [])
  const wanted = rendered.flatMap(([layer, result]) => 'unknown' in result ? inventoried(layer) : result.objects.map((object): Wanted => ({ object, manager: 'kustomize-controller' })))
  return { wanted, unknown }
}

function ignoredIn(release: HelmReleaseObject, object: KubeObject): string[] {
  const rules = release.spec?.driftDetection?.ignore ?? []
  return rules.filter(({ target }) => (target?.kind ?? object.kind) === object.kind && (target?.name ?? object.metadata.name) === object.metadata.name).flatMap(rule => rule.paths)
}

async function wantedByRelease(api: Api, release: HelmReleaseObject): Promise<Wanted[]> {
  const name = release.spec?.releaseName ?? release.metadata.name
  const namespace = release.status?.storageNamespace ?? release.metadata.namespace ?? ''
  const stored = await get<KubeObject & { data?: Record<string, string> }>(api, Secret, { namespace, name: `sh.helm.release.v1.${name}.v${release.status?.history?.[0]?.version ?? 0}` })
  if (stored?.data?.release === undefined) return []
  const record = decodeRelease(stored.data.release)
  return parseManifests(record.manifest).map((object): Wanted => {
    const { metadata } = object
    const annotations = { ...metadata.annotations, 'meta.helm.sh/release-name': record.name, 'meta.helm.sh/release-namespace': record.namespace }
    const own = { ...metadata, namespace: metadata.namespace ?? record.namespace, labels: { ...metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' }, annotations }
    return { object: { ...object, metadata: own }, manager: 'helm-controller', ignored: ignoredIn(release, object) }
  })
}

async function dryRun(api: Api, resource: Resource, { object, manager }: Wanted): Promise<KubeObject | string> {
  const { namespace, name } = object.metadata
  try {
    return await request<KubeObject>(api, 'PATCH', `${pathOf(resource, { namespace, name })}?dryRun=All&force=true&fieldManager=${manager}`, { body: object, contentType: 'application/apply-patch+yaml' })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    // the API server quotes values
    return `cannot become what Git says: ${object.kind === 'Secret' ? error.reason : error.message}`
  }
}

function driftWords(live: KubeObject, answer: KubeObject, wanted: Wanted, secrets: readonly string[]): string | undefined {
  const merged = wanted.manager === 'helm-controller' || settingOf(wanted.object, 'kustomize.toolkit.fluxcd.io/ssa') === 'Merge'
  const all = [...differences(live, answer), ...merged ? [] : additions(live, wanted.object)]
  const found = all.filter(({ path }) => !wanted.ignored?.some(ignored => `/${path.join('/')}/`.startsWith(`${ignored}/`)))
  if (found.length === 0) return undefined
  const words = found.slice(0, SHOWN).map(one => describeDifference(one, { kind: live.kind, secrets }))
  if (found.length > SHOWN) words.push(`${found.length - SHOWN} more`)
  const editor = editorOf(live, found, wanted.manager ?? '')
  return [words.join(', '), ...editor === undefined ? [] : [editor]].join(' · ')
}

async function checkObject(api: Api, resource: Resource | undefined, wanted: Wanted, secrets: readonly string[]): Promise<Check> {
  const { namespace: asked, ...metadata } = wanted.object.metadata
  const object = { ...wanted.object, metadata: { ...metadata, ...resource?.namespaced === false || asked === undefined ? {} : { namespace: asked } } }
  const fault = (words: string): Check => ({ subject: refOf(object), ok: false, words, compared: 'fields' })
  if (resource === undefined) return fault(`is gone: the cluster does not know ${object.apiVersion}`)
  const live = await get<KubeObject>(api, resource, object.metadata)
  if (live === undefined) return fault('is gone')
  if (wanted.manager === undefined) return { subject: refOf(object), ok: true, words: 'is there', compared: 'existence' }
  const answer = await dryRun(api, resource, { ...wanted, object })
  const words = typeof answer === 'string' ? answer : driftWords(live, answer, { ...wanted, object }, secrets)
  return words === undefined ? { subject: refOf(object), ok: true, words: 'as in Git', compared: 'fields' } : fault(words)
}

/** How objects are compared: `find` remembers what discovery said, `secrets` are values that no output may hold. */
export interface Comparison { find: ReturnType<typeof makeResourceFinder>, secrets: readonly string[] }

async function check(api: Api, wanted: Wanted[], { find, secrets }: Comparison): Promise<Check[]> {
  return inParallel(wanted.filter(({ object }) => !isLeftAlone(object)), async one => checkObject(api, await find(one.object), one, secrets))
}

/** @returns one check per object of the releases. */
export async function checkReleases(api: Api, releases: HelmReleaseObject[], comparison: Comparison): Promise<Check[]> {
  return check(api, (await Promise.all(releases.map(release => wantedByRelease(api, release)))).flat(), comparison)
}

/** @param options.secrets values that no output may hold. @returns one check per object of the layers and releases */
export async function checkDrift(api: Api, snapshot: Snapshot, { kubectl, secrets }: DriftOptions): Promise<Check[]> {
  const comparison: Comparison = { find: makeResourceFinder(api), secrets }
  const [{ wanted, unknown }, released] = await Promise.all([wantedByLayers(api, snapshot.kustomizations, kubectl), checkReleases(api, snapshot.releases, comparison)])
  return [...unknown, ...await check(api, wanted, comparison), ...released]
}
