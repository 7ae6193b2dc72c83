/** Finds what no waiting can mend, at its deepest, and only where the verdict is on the commit that is meant. */
import { certificateFinding, pendingParts } from './causes.ts'
import { FEW, type TaskError, failure, firstFew } from './errors.ts'
import { hasManifestsOf, isAppliedAt, isCurrent, isUnrecoverable, judgeChartSource, judgeGitRepository, judgeKustomization } from './flux-state.ts'
import { locate } from './manifest-index.ts'
import { isWritten } from './marks.ts'
import { type KubeObject, conditionOf, refOf } from './objects.ts'
import { type Goal, inChainOrder } from './platform-tree.ts'
import { chartSourceOf } from './release-state.ts'
import { type HelmReleaseObject, type KustomizationObject, type Snapshot, ROOT } from './snapshot.ts'

export interface Fault {
  object: KubeObject
  /** The controller's words. */
  words: string
  /** What the object belongs to. */
  parent?: KubeObject
}

const isSuspended = (object: KubeObject): boolean => object.spec?.suspend === true

// kustomize-controller looks for the path before it notes the revision, so the time says what the verdict is on
function lacksPath(layer: KustomizationObject, snapshot: Snapshot, goal: Goal): boolean {
  const condition = conditionOf(layer, 'Ready')
  const artifact = snapshot.gitRepositories[0]?.status?.artifact
  return condition?.reason === 'ArtifactFailed' && isUnrecoverable(condition.message ?? '') && isCurrent(layer, 'Ready')
    && artifact?.revision === goal.revision && (condition.lastTransitionTime ?? '') >= (artifact?.lastUpdateTime ?? '')
}

function layerFault(layer: KustomizationObject, snapshot: Snapshot, goal: Goal): Fault | undefined {
  const { state, words } = judgeKustomization(layer, goal.revision)
  if (isSuspended(layer)) return { object: layer, words }
  if (!isWritten(layer, goal.marks)) return undefined
  if (lacksPath(layer, snapshot, goal)) return { object: layer, words: conditionOf(layer, 'Ready')?.message ?? '' }
  return state === 'stuck' ? { object: layer, words } : undefined
}

/** A release without its chart is told by the chart's source. */
function atChart(part: Fault, snapshot: Snapshot): Fault {
  const source = part.object.kind === 'HelmRelease' ? chartSourceOf(part.object as HelmReleaseObject, snapshot) : undefined
  const judged = source && judgeChartSource(source)
  return source && judged?.state === 'stuck' ? { object: source, words: judged.words, parent: part.object } : part
}

function partFaults(layer: KustomizationObject, snapshot: Snapshot, goal: Goal): Fault[] {
  if (!hasManifestsOf(layer, goal.revision)) return []
  return pendingParts(layer, snapshot).filter(part => part.state === 'stuck').map(({ object, words }) => atChart({ object, words, parent: layer }, snapshot))
    .filter(({ object }) => isSuspended(object) || isWritten(object, goal.marks))
}

/** Certificates that cert-manager gave up on: it asks again after an hour at the earliest (seen on cert-manager 1.21). */
function certificateFaults(snapshot: Snapshot): Fault[] {
  return snapshot.certificates.filter(one => conditionOf(one, 'Issuing')?.reason === 'Failed' && isCurrent(one, 'Issuing')).map(certificate => {
    const { object, words, state } = certificateFinding(certificate, snapshot)
    return { object: state === 'failed' ? object : certificate, words, ...(object === certificate ? {} : { parent: certificate }) }
  })
}

/** @returns everything that no waiting can mend; a certificate only where nothing else is left to wait for. */
export function findFaults(snapshot: Snapshot, goal: Goal): Fault[] {
  const sources = snapshot.gitRepositories.flatMap((object): Fault[] => {
    const { state, words } = judgeGitRepository(object, goal.revision)
    return state === 'stuck' && (isSuspended(object) || isWritten(object, goal.marks)) ? [{ object, words }] : []
  })
  if (sources.length > 0) return sources
  const behind = inChainOrder(snapshot.kustomizations).filter(layer => !goal.blocked.has(layer.metadata.name) && (!isAppliedAt(layer, goal.revision) || isSuspended(layer)))
  const root = behind.find(layer => layer.metadata.name === ROOT)
  // what the root has yet to apply may be about to change
  const faults = (root ? [root] : behind).flatMap(layer => {
    const fault = layerFault(layer, snapshot, goal)
    return fault ? [fault] : partFaults(layer, snapshot, goal)
  })
  if (behind.length > 0) return [...new Map(faults.map(fault => [refOf(fault.object), fault])).values()]
  return certificateFaults(snapshot)
}

function verbOf({ object, words }: Fault): string {
  if (words.startsWith('suspended')) return 'is suspended'
  if (/Repository$|^HelmChart$/.test(object.kind)) return 'cannot be fetched'
  return /^(Certificate|Order|Challenge)$/.test(object.kind) ? 'failed' : 'cannot become Ready'
}

function fixFor({ object, words, parent }: Fault): string {
  const { namespace, name } = object.metadata
  if (words.startsWith('suspended')) return `kubectl -n ${namespace} patch ${object.kind.toLowerCase()} ${name} --type=merge -p '{"spec":{"suspend":false}}', then: make flux-reconcile`
  if (!verbOf({ object, words }).startsWith('failed')) return 'correct the manifest, commit, push, then: make flux-reconcile'
  const certificate = object.kind === 'Certificate' ? object : parent
  return `correct the cause; cert-manager asks again in an hour, or at once after: kubectl -n ${namespace} delete certificate ${certificate?.metadata.name ?? name} && make flux-reconcile`
}

const whereOf = async ({ object, words, parent }: Fault): Promise<string> => {
  const file = await locate(object, words) ?? (parent && await locate(parent, words))
  return [parent && refOf(parent), file].filter(part => part !== undefined).join(' · ')
}

/** @returns the error for faults: the first of them with its fix, ten more with their words, the rest by their number. */
export async function stuckError([first, ...others]: readonly [Fault, ...Fault[]]): Promise<TaskError> {
  const also = await Promise.all(others.slice(0, FEW).map(async fault => `also ${refOf(fault.object)} · ${await whereOf(fault)}\n${fault.words}`))
  return failure(`${refOf(first.object)} ${verbOf(first)}`, { where: await whereOf(first), why: [first.words, ...firstFew(also, { of: others.length })].join('\n'), fix: fixFor(first) })
}
