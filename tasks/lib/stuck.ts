/** Errors of a convergence: what no waiting can mend, and what did not come in time, each named from deepest down. */
import { deepestCause, describe } from './causes.ts'
import { type TaskError, failure } from './errors.ts'
import { judgeChartSource, judgeGitRepository, judgeKustomization } from './flux-state.ts'
import { locate } from './manifest-index.ts'
import { type KubeObject, refOf } from './objects.ts'
import { elapsed } from './output.ts'
import { type Goal, inChainOrder, pendingCertificates } from './platform-tree.ts'
import type { Snapshot } from './snapshot.ts'

const CORRECT = 'correct the manifest, commit, push, then: make flux-reconcile'

function fixFor(object: KubeObject, words: string): string {
  if (!words.startsWith('suspended')) return CORRECT
  return `kubectl -n ${object.metadata.namespace} patch ${object.kind.toLowerCase()} ${object.metadata.name} --type=merge -p '{"spec":{"suspend":false}}'`
}

/** @returns the error for something that no waiting can mend, if there is such a thing. */
export async function stuckError(snapshot: Snapshot, goal: Goal): Promise<TaskError | undefined> {
  for (const source of snapshot.gitRepositories) {
    const { state, words } = judgeGitRepository(source, goal.revision)
    if (state === 'stuck') return failure(`${refOf(source)} cannot be fetched`, { where: await locate(source), why: words, fix: fixFor(source, words) })
  }
  for (const layer of inChainOrder(snapshot.kustomizations).filter(one => !goal.blocked.has(one.metadata.name))) {
    const judged = judgeKustomization(layer, goal.revision)
    if (judged.state === 'ready') continue
    const cause = deepestCause(layer, snapshot)
    const stuckPart = cause?.state === 'stuck' ? cause : undefined
    if (judged.state !== 'stuck' && stuckPart === undefined) continue
    const { object, words } = stuckPart ?? { object: layer, words: judged.words }
    return failure(`${refOf(object)} cannot become Ready`, { where: [object === layer ? '' : refOf(layer), await locate(object, words)].filter(Boolean).join(' · '), why: words, fix: fixFor(object, words) })
  }
  for (const source of [...snapshot.ociRepositories, ...snapshot.helmRepositories, ...snapshot.helmCharts]) {
    const { state, words } = judgeChartSource(source)
    if (state === 'stuck') return failure(`${refOf(source)} cannot be fetched`, { where: await locate(source), why: words, fix: fixFor(source, words) })
  }
  return undefined
}

/** @param options.deadline milliseconds that were waited; options.reason what was still missing */
export function timeoutError(snapshot: Snapshot, goal: Goal, options: { deadline: number, reason: string }): TaskError {
  const behind = inChainOrder(snapshot.kustomizations).filter(layer => !goal.blocked.has(layer.metadata.name) && judgeKustomization(layer, goal.revision).state !== 'ready')
  const causes = behind.map(layer => deepestCause(layer, snapshot)).filter(cause => cause !== undefined).map(describe)
  const certificates = pendingCertificates(snapshot).map(row => `${row.label}: ${row.words}`)
  return failure(`the platform is not Ready after ${elapsed(options.deadline)}`, {
    where: options.reason,
    why: [...new Set([...causes, ...certificates])].join('\n'),
    fix: 'make verify shows what is left; the cluster keeps trying, and running the same command again is safe',
  })
}
