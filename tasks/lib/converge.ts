/** Follows the platform until it is what Git says: one watch per kind, dependents woken the moment they can go on, causes named. */
import { type Api, ifFound, isUnreachable, patch } from './api.ts'
import { judgeGitRepository, judgeRelease, shortRevision } from './flux-state.ts'
import { openDisplay } from './live-tree.ts'
import { attention } from './output.ts'
import { FLUX_NAMESPACE, type Goal, blockedLayers, pendingCertificates, platformRows } from './platform-tree.ts'
import { REQUESTED_AT, makeWaker } from './poke.ts'
import { type Resource, GitRepository, Kustomization } from './resources.ts'
import { type Follower, type Snapshot, followSnapshot } from './snapshot.ts'
import { stuckError, timeoutError } from './stuck.ts'

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

/** Asks Flux to look at an object now; one that is gone, or an API server that is away, is for the watch to notice. */
async function poke(api: Api, resource: Resource, options: { name: string, token: string }): Promise<void> {
  try {
    await ifFound(() => patch(api, resource, { namespace: FLUX_NAMESPACE, name: options.name, body: { metadata: { annotations: { [REQUESTED_AT]: options.token } } } }))
  } catch (error) {
    if (!isUnreachable(error)) throw error
  }
}

const newToken = (): string => new Date().toISOString()

/** @returns what still keeps the goal from being reached; undefined when it is reached. */
function unmet(snapshot: Snapshot, goal: Goal, token: string | undefined): string | undefined {
  if (snapshot.gitRepositories.length === 0 || snapshot.kustomizations.length <= 1) return 'Flux has not read the repository yet'
  const behind = platformRows(snapshot, goal).find(row => row.depth === 0 && row.state !== 'ready' && row.state !== 'blocked')
  if (behind) return `${behind.label}: ${behind.words}`
  const unseen = token === undefined ? undefined : snapshot.kustomizations.find(layer => !goal.blocked.has(layer.metadata.name) && (layer.status?.lastHandledReconcileAt ?? '') < token)
  if (unseen) return `Kustomization/${FLUX_NAMESPACE}/${unseen.metadata.name}: not reconciled yet`
  const release = snapshot.releases.map(one => ({ one, ...judgeRelease(one, snapshot) })).find(({ one, state }) => state !== 'ready' && !goal.blocked.has(one.metadata.labels?.['kustomize.toolkit.fluxcd.io/name'] ?? ''))
  if (release) return `HelmRelease/${FLUX_NAMESPACE}/${release.one.metadata.name}: ${release.words}`
  const [certificate] = pendingCertificates(snapshot)
  return certificate && `${certificate.label}: ${certificate.words}`
}

/**
 * Sets Flux going: the source when it has not the revision yet (its new artifact wakes all layers), else the layers.
 * @returns the token that every layer must have handled, where layers were woken and all must be
 */
async function begin(api: Api, snapshot: Snapshot, options: ConvergeOptions): Promise<string | undefined> {
  const token = newToken()
  const behind = snapshot.gitRepositories.filter(source => judgeGitRepository(source, options.revision).state !== 'ready')
  if (behind.length > 0) {
    await Promise.all(behind.map(source => poke(api, GitRepository, { name: source.metadata.name, token })))
    return undefined
  }
  await Promise.all(snapshot.kustomizations.map(layer => poke(api, Kustomization, { name: layer.metadata.name, token })))
  return options.force ? token : undefined
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

async function followToGoal(api: Api, follower: Follower, wait: Wait, options: ConvergeOptions): Promise<Converged> {
  const display = openDisplay()
  const toWake = makeWaker()
  const end = Date.now() + options.deadline
  let { revision } = options
  let begun: { token: string | undefined, from: string | undefined } | undefined
  try {
    for (;;) {
      const snapshot = follower.snapshot()
      const goal: Goal = { revision, blocked: blockedLayers(snapshot.kustomizations, options.missingInputs) }
      const reason = follower.synced() ? unmet(snapshot, goal, begun?.token) : 'the API server does not answer'
      if (reason === undefined && begun === undefined && !options.force) return { waited: false, revision }
      if (begun !== undefined || follower.synced()) display.update([...platformRows(snapshot, goal), ...pendingCertificates(snapshot)])
      if (follower.synced()) {
        if (reason === undefined && begun !== undefined) return { waited: true, revision }
        const current = snapshot.gitRepositories[0]?.status?.artifact?.revision
        begun ??= { token: await begin(api, snapshot, options), from: current }
        if (current !== undefined && current !== begun.from && current !== revision) {
          attention(`somebody pushed meanwhile: following ${shortRevision(current)} instead of ${shortRevision(revision)}`)
          begun.from = revision = current
        }
        const stuck = await stuckError(snapshot, goal)
        if (stuck) throw stuck
        await Promise.all(toWake(snapshot, goal, Date.now()).map(name => poke(api, Kustomization, { name, token: newToken() })))
      }
      if (Date.now() > end) throw timeoutError(snapshot, goal, { deadline: options.deadline, reason: reason ?? '' })
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
    return await followToGoal(api, follower, wait, options)
  } finally {
    stop.abort()
  }
}
