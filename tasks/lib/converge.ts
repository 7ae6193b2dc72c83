/** Follows the platform until it is what Git says: one watch per kind, dependents woken the moment they can go on, causes named. */
import { type Api, isUnreachable } from './api.ts'
import { type Begun, begin, poke } from './begin.ts'
import { shortRevision } from './flux-state.ts'
import { followHeartbeat } from './heartbeat.ts'
import { lateError } from './late.ts'
import { openDisplay } from './live-tree.ts'
import { isWritten } from './marks.ts'
import { refOf } from './objects.ts'
import { attention } from './output.ts'
import { FLUX_NAMESPACE, type Goal, type Row, blockedLayers, pendingCertificates, platformRows } from './platform-tree.ts'
import { makeWaker } from './poke.ts'
import { judgeRelease } from './release-state.ts'
import { Kustomization } from './resources.ts'
import { type Follower, type Snapshot, followSnapshot, layerOf, platformOnly, readSnapshot } from './snapshot.ts'
import { findFaults, stuckError } from './stuck.ts'

const TICK_MS = 500
const COALESCE_MS = 20

export interface ConvergeOptions {
  /** The revision that every layer shall have. */
  revision: string
  /** Runtime inputs that are not there: what needs them is not waited for. */
  missingInputs: string[]
  /** True where every layer shall be reconciled anew even if it is at the revision already. */
  force: boolean
  /** Give up after this many milliseconds. */
  deadline: number
}

export interface Converged {
  /** False when everything was there from the start. */
  waited: boolean
  /** The revision that was reached: a newer one than asked for when somebody pushed meanwhile. */
  revision: string
}

/** @returns what still keeps the goal from being reached; undefined when it is reached. */
function unmet(rows: Row[], snapshot: Snapshot, { goal, begun }: { goal: Goal, begun: Begun | undefined }): string | undefined {
  if (snapshot.gitRepositories.length === 0 || snapshot.kustomizations.length <= 1) return 'Flux has not read the repository yet'
  const behind = rows.find(row => row.depth === 0 && row.state !== 'ready' && row.state !== 'blocked')
  if (behind) return `${behind.label}: ${behind.words}`
  const unseen = begun?.anew === true ? snapshot.kustomizations.find(layer => !goal.blocked.has(layer.metadata.name) && !isWritten(layer, begun.marks)) : undefined
  if (unseen) return `Kustomization/${FLUX_NAMESPACE}/${unseen.metadata.name}: not reconciled yet`
  const release = snapshot.releases.map(one => ({ one, ...judgeRelease(one, snapshot) })).find(({ one, state }) => state !== 'ready' && !goal.blocked.has(layerOf(one)))
  if (release) return `HelmRelease/${FLUX_NAMESPACE}/${release.one.metadata.name}: ${release.words}`
  const [certificate] = pendingCertificates(snapshot)
  return certificate && `${certificate.label}: ${certificate.words}`
}

/** The watches of several kinds are not in step, so a fault has to hold in a read of now too. @throws the error of faults that do */
async function refuseFaults(api: Api, snapshot: Snapshot, goal: Goal): Promise<void> {
  const suspected = findFaults(snapshot, goal).map(({ object }) => refOf(object))
  if (suspected.length === 0) return
  const now = await readSnapshot(api).catch((error: unknown) => {
    if (!isUnreachable(error)) throw error
  })
  const [first, ...others] = now === undefined ? [] : findFaults(platformOnly(now), goal).filter(({ object }) => suspected.includes(refOf(object)))
  if (first) throw await stuckError([first, ...others])
}

interface Wait { signal: () => void, next: () => Promise<void> }

// Changes come in bursts: they are looked at together, and the clock of the display goes on without any.
function makeWait(): Wait {
  let changed = false
  let wake = () => {}
  return {
    signal: () => { changed = true; wake() },
    next: async () => {
      if (!changed) await new Promise<void>(resolve => { const timer = setTimeout(resolve, TICK_MS); wake = () => { clearTimeout(timer); resolve() } })
      await new Promise(resolve => setTimeout(resolve, COALESCE_MS))
      changed = false
    },
  }
}

/** @returns the revision to follow from now on: another than before when somebody pushed. */
function noticePush(snapshot: Snapshot, revision: string, begun: Begun): string {
  const current = snapshot.gitRepositories[0]?.status?.artifact?.revision
  if (current === undefined || current === begun.from || current === revision) return revision
  attention(`somebody pushed meanwhile: following ${shortRevision(current)} instead of ${shortRevision(revision)}`)
  begun.from = current
  return current
}

async function followToGoal(api: Api, follower: Follower, wait: Wait, options: ConvergeOptions & { signal: AbortSignal }): Promise<Converged> {
  const display = openDisplay()
  let rows: Row[] = []
  const show = () => display.update([...heartbeat(), ...rows])
  const heartbeat = followHeartbeat(api, { signal: options.signal, onChange: show })
  const toWake = makeWaker()
  // not the wall clock, which may jump
  const end = performance.now() + options.deadline
  let { revision } = options
  let begun: Begun | undefined
  try {
    for (;;) {
      const snapshot = follower.snapshot()
      const goal: Goal = { revision, blocked: blockedLayers(snapshot.kustomizations, options.missingInputs) }
      const current = platformRows(snapshot, goal)
      const reason = follower.synced() ? unmet(current, snapshot, { goal, begun }) : 'the API server does not answer'
      if (reason === undefined && (begun !== undefined || !options.force)) return { waited: begun !== undefined, revision }
      if (begun !== undefined || follower.synced()) rows = [...current, ...pendingCertificates(snapshot)]
      show()
      if (follower.synced()) {
        begun ??= await begin(api, snapshot, options)
        revision = noticePush(snapshot, revision, begun)
        const sought: Goal = { ...goal, revision, marks: begun.marks, anew: begun.anew }
        await refuseFaults(api, snapshot, sought)
        await Promise.all(toWake(snapshot, sought, performance.now()).map(name => poke(api, Kustomization, name)))
      }
      if (performance.now() > end) throw await lateError(api, snapshot, { goal, deadline: options.deadline, reason: reason ?? '' })
      await wait.next()
    }
  } finally {
    display.stop()
  }
}

/**
 * Waits until every layer is Ready at the revision, every release at its pinned chart, every certificate issued, showing the tree as it changes.
 * @throws what cannot recover at once; what does not come in time at the deadline, with the deepest cause of each layer
 */
export async function converge(api: Api, options: ConvergeOptions): Promise<Converged> {
  const stop = new AbortController()
  const wait = makeWait()
  const follower = followSnapshot(api, { signal: stop.signal, onChange: wait.signal })
  try {
    return await followToGoal(api, follower, wait, { ...options, signal: stop.signal })
  } finally {
    stop.abort()
  }
}
