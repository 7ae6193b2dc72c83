/**
 * The time that the controllers themselves need: the longest path through what they did, each step as long as it was seen to take, none
 * beginning later than what it needs was there. Left out are only waits in which nobody works: a dependent that looks for its dependency every
 * --requeue-dependency, Flux's health check that looks every 5 s. Helm's own 5 s look at its pods counts as work: nothing can shorten it.
 */
import { type InventoryEntry, inventoryOf, isAppliedAt, isRolledOut } from '../../tasks/lib/flux-state.ts'
import { type KubeObject, conditionOf, isReady } from '../../tasks/lib/objects.ts'
import type { DeploymentObject, HelmReleaseObject, KustomizationObject } from '../../tasks/lib/snapshot.ts'
import { type History, type Sighting, newest } from './recorder.ts'
import type { PathStep } from './samples.ts'

export interface Bound {
  /** Seconds. */
  seconds: number
  path: PathStep[]
}

/** A point on a path: when it could be at the earliest and when it was, in ms after the begin. */
interface Point {
  step: string
  possible: number
  seen: number
  work: number
  before: Point | undefined
}

interface Trace {
  history: History
  revision: string
  begin: number
  points: Map<string, Point>
}

const latest = (points: (Point | undefined)[]): Point | undefined => points.reduce((worst, point) => (point?.possible ?? -1) > (worst?.possible ?? -1) ? point : worst, undefined)

function point(trace: Trace, step: string, options: { after: Point | undefined, from: number | undefined, to: number | undefined }): Point {
  const work = options.from === undefined || options.to === undefined ? 0 : Math.max(0, options.to - options.from)
  const seen = options.to === undefined ? options.after?.seen ?? 0 : options.to - trace.begin
  const made = { step, possible: (options.after?.possible ?? 0) + work, seen, work, before: options.after }
  trace.points.set(step, made)
  return made
}

const sightings = (trace: Trace, ref: string): Sighting[] => (trace.history.get(ref) ?? []).filter(sighting => sighting.at >= trace.begin)
const firstAt = (seen: readonly Sighting[], matches: (object: KubeObject) => boolean): number | undefined => seen.find(sighting => matches(sighting.object))?.at
const progressOf = (object: KubeObject): string => conditionOf(object, 'Reconciling')?.message ?? ''

/**
 * The source. On a fresh cluster fetching includes everything before it: Flux's definitions and the start of its controllers. Later it begins
 * when somebody asked for it.
 */
function sourcePoint(trace: Trace): Point {
  const known = trace.points.get('source')
  if (known !== undefined) return known
  const ref = 'GitRepository/flux-system/home'
  const has = (object: KubeObject) => (object.status as { artifact?: { revision?: string } } | undefined)?.artifact?.revision === trace.revision
  const wasThere = (trace.history.get(ref)?.[0]?.at ?? Infinity) < trace.begin
  const seen = sightings(trace, ref)
  return point(trace, 'source', { after: undefined, from: wasThere ? seen[0]?.at : trace.begin, to: firstAt(seen, has) })
}

/** When a layer's last application at the revision began, and when its objects were applied. */
function application(trace: Trace, layer: KustomizationObject): { from: number | undefined, applied: number | undefined, ready: number | undefined } {
  const seen = sightings(trace, `Kustomization/flux-system/${layer.metadata.name}`)
  const ready = firstAt(seen, object => isAppliedAt(object as KustomizationObject, trace.revision))
  const checking = firstAt(seen, object => /^running health checks/i.test(progressOf(object)) && progressOf(object).includes(trace.revision))
  const applied = checking !== undefined && checking <= (ready ?? Infinity) ? checking : ready
  const begins = seen.filter(({ at, object }) => at <= (applied ?? 0) && /^(fetching|building) manifests/i.test(progressOf(object)))
  const last = begins.findLast(({ object }) => /^fetching/i.test(progressOf(object))) ?? begins[0]
  return { from: last?.at, applied, ready }
}

/** A layer's objects in the cluster: after its source, its parent and what it depends on. */
function appliedPoint(trace: Trace, layer: KustomizationObject): Point {
  const { name } = layer.metadata
  const known = trace.points.get(`${name} applied`)
  if (known !== undefined) return known
  const layers = newest<KustomizationObject>(trace.history, 'Kustomization')
  const isNew = (trace.history.get(`Kustomization/flux-system/${name}`)?.[0]?.at ?? 0) > trace.begin + 500
  const parent = name === 'home' || !isNew ? undefined : layers.find(one => one.metadata.name === 'home')
  const needed = (layer.spec?.dependsOn ?? []).map(dependency => layers.find(one => one.metadata.name === dependency.name)).filter(one => one !== undefined)
  const after = latest([sourcePoint(trace), parent && appliedPoint(trace, parent), ...needed.map(one => layerPoint(trace, one))])
  const { from, applied } = application(trace, layer)
  return point(trace, `${name} applied`, { after, from, to: applied })
}

function releasePoint(trace: Trace, name: string, after: Point): Point {
  const known = trace.points.get(`release ${name}`)
  if (known !== undefined) return known
  const seen = sightings(trace, `HelmRelease/flux-system/${name}`)
  const release = seen.at(-1)?.object as HelmReleaseObject | undefined
  const from = firstAt(seen, object => /^Running '(install|upgrade)' action/.test(progressOf(object)))
  const to = from === undefined ? undefined : seen.find(sighting => sighting.at > from && isReady(sighting.object))?.at
  if (release === undefined || from === undefined) return after
  const layers = newest<KustomizationObject>(trace.history, 'Kustomization')
  const others = (release.spec?.dependsOn ?? []).map(({ name: other }) => {
    const owner = layers.find(layer => inventoryOf(layer).some(entry => entry.kind === 'HelmRelease' && entry.name === other))
    return owner && releasePoint(trace, other, appliedPoint(trace, owner))
  })
  const start = latest([chartPoint(trace, release, after), ...others]) ?? after
  return point(trace, `release ${name}`, { after: start, from, to })
}

function chartPoint(trace: Trace, release: HelmReleaseObject, after: Point): Point {
  const ref = release.spec?.chartRef === undefined ? `HelmChart/flux-system/flux-system-${release.metadata.name}` : `OCIRepository/flux-system/${release.spec.chartRef.name}`
  const seen = trace.history.get(ref) ?? []
  const created = seen[0]?.at
  if (created === undefined || created < trace.begin + 500) return after
  const to = firstAt(seen, isReady)
  // a source of an earlier layer may have been there long before
  if (to !== undefined && to - trace.begin <= after.seen) return after
  return point(trace, `chart ${release.metadata.name}`, { after, from: created, to })
}

/** A part that was made or changed by the layer and had to come up. */
function partPoint(trace: Trace, entry: InventoryEntry, options: { after: Point, layer: KustomizationObject }): Point {
  const { after, layer } = options
  const ref = [entry.kind, entry.namespace, entry.name].filter(part => part !== '').join('/')
  if (entry.kind === 'HelmRelease') return releasePoint(trace, entry.name, after)
  const judged: Record<string, (object: KubeObject) => boolean> = { ClusterIssuer: isReady, Certificate: isReady, Deployment: object => isRolledOut(object as DeploymentObject) }
  const isDone = judged[entry.kind]
  const exprs = (layer.spec as { healthCheckExprs?: { kind: string, current: string }[] } | undefined)?.healthCheckExprs ?? []
  if (isDone === undefined || exprs.some(expr => expr.kind === entry.kind && expr.current === 'true')) return after
  const seen = sightings(trace, ref)
  const from = firstAt(seen, object => !isDone(object))
  const to = from === undefined ? undefined : seen.find(sighting => sighting.at > from && isDone(sighting.object))?.at
  return from === undefined ? after : point(trace, ref, { after, from, to })
}

/** A layer Ready. */
function layerPoint(trace: Trace, layer: KustomizationObject): Point {
  const { name } = layer.metadata
  const known = trace.points.get(name)
  if (known !== undefined) return known
  const applied = appliedPoint(trace, layer)
  const waits = (layer.spec as { wait?: boolean } | undefined)?.wait === true
  const parts = waits ? inventoryOf(layer).map(entry => partPoint(trace, entry, { after: applied, layer })) : []
  const last = latest([applied, ...parts]) ?? applied
  const { ready } = application(trace, layer)
  const made = { step: `${name} ready`, possible: last.possible, seen: (ready ?? trace.begin) - trace.begin, work: 0, before: last }
  trace.points.set(name, made)
  return made
}

function pathTo(end: Point): PathStep[] {
  const steps: PathStep[] = []
  for (let at: Point | undefined = end; at !== undefined; at = at.before) {
    steps.unshift({ step: at.step, work: at.work / 1000, waited: Math.max(0, at.seen - at.work - (at.before?.seen ?? 0)) / 1000 })
  }
  return steps
}

/**
 * @param options.begin ms at which the first thing could be done
 * @returns the bound of a convergence that was recorded to its end, and the path that makes it
 */
export function boundOf(history: History, options: { revision: string, begin: number }): Bound {
  const trace: Trace = { history, ...options, points: new Map() }
  const last = latest(newest<KustomizationObject>(history, 'Kustomization').map(layer => layerPoint(trace, layer)))
  return last === undefined ? { seconds: 0, path: [] } : { seconds: last.possible / 1000, path: pathTo(last) }
}
