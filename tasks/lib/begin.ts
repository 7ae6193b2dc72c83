/** Sets Flux going: asks it by annotation to look at an object now. */
import { type Api, ifFound, isUnreachable, patch } from './api.ts'
import { judgeGitRepository } from './flux-state.ts'
import { type Marks, takeMarks } from './marks.ts'
import { type KubeObject, conditionOf } from './objects.ts'
import { FLUX_NAMESPACE } from './platform-tree.ts'
import { type Resource, GitRepository } from './resources.ts'
import { type Snapshot, followed } from './snapshot.ts'

const REQUESTED_AT = 'reconcile.fluxcd.io/requestedAt'

/** Asks Flux to look at an object now; one that is gone, or an API server that is away, is for the watch to notice. */
export async function poke(api: Api, resource: Resource, name: string): Promise<void> {
  try {
    await ifFound(() => patch(api, resource, { namespace: FLUX_NAMESPACE, name, body: { metadata: { annotations: { [REQUESTED_AT]: new Date().toISOString() } } } }))
  } catch (error) {
    if (!isUnreachable(error)) throw error
  }
}

const pokeAll = async (api: Api, resource: Resource, objects: KubeObject[]): Promise<void> => {
  await Promise.all(objects.map(object => poke(api, resource, object.metadata.name)))
}

/** Reasons of objects that wait and go on by themselves: a release woken as it does so cancels its own wait and installs once more, as an upgrade. */
const waits = ['DependencyNotReady', 'SourceNotReady', 'HealthCheckCanceled']

function hasFailed(object: KubeObject): boolean {
  const condition = conditionOf(object, 'Ready')
  return condition?.status === 'False' && !waits.includes(condition.reason ?? '')
}

/** How things were when Flux was set going. */
export interface Begun {
  marks: Marks
  /** Revision that the source had. */
  from: string | undefined
  /** True where every layer has to be reconciled anew, whatever it has. */
  anew: boolean
}

/**
 * Sets Flux going: the source when it has not the revision yet (its new artifact wakes all layers), else layers that failed; those that shall be
 * reconciled anew are woken one after the other later on. Charts and releases that failed are asked to try again too, so that an old failure is
 * not taken for a new one. Who works already is left alone: woken, it would do its work twice.
 * @param options.force every layer shall be reconciled anew even if it is at the revision already
 */
export async function begin(api: Api, snapshot: Snapshot, options: { revision: string, force: boolean }): Promise<Begun> {
  const marks = takeMarks(snapshot)
  const behind = snapshot.gitRepositories.filter(source => judgeGitRepository(source, options.revision).state !== 'ready')
  const anew = options.force && behind.length === 0
  const pokeFailed = (field: keyof Snapshot) => pokeAll(api, followed[field], snapshot[field].filter(hasFailed))
  const charts = (['ociRepositories', 'helmRepositories', 'helmCharts', 'releases'] as const).map(pokeFailed)
  await Promise.all([pokeAll(api, GitRepository, behind), ...charts, ...(behind.length > 0 || anew ? [] : [pokeFailed('kustomizations')])])
  return { marks, from: snapshot.gitRepositories[0]?.status?.artifact?.revision, anew }
}
