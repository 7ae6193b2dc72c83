/** The error of a platform that did not get Ready in time, told by the deepest cause of each layer. */
import { type Api, isUnreachable, list } from './api.ts'
import { type Finding, deepestCause, describe, pendingParts } from './causes.ts'
import { FEW, type TaskError, failure, firstFew } from './errors.ts'
import { judgeKustomization } from './flux-state.ts'
import { locate } from './manifest-index.ts'
import type { KubeObject } from './objects.ts'
import { elapsed } from './output.ts'
import { type Goal, inChainOrder, pendingCertificates } from './platform-tree.ts'
import { Event } from './resources.ts'
import type { KustomizationObject, Snapshot } from './snapshot.ts'
import { webhookFix } from './webhooks.ts'

type EventObject = KubeObject & { reason?: string, message?: string, lastTimestamp?: string | null, eventTime?: string | null }

const timeOf = (event: EventObject): string => event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? ''

/** @returns the newest warning about a pod: what keeps a volume or an image away stands in events only. */
async function newestWarning(api: Api, pod: KubeObject): Promise<string | undefined> {
  const query = `fieldSelector=${encodeURIComponent(`involvedObject.kind=Pod,involvedObject.name=${pod.metadata.name},type=Warning`)}`
  try {
    const { items } = await list<EventObject>(api, Event, { namespace: pod.metadata.namespace ?? '', query })
    const newest = items.sort((a, b) => timeOf(b).localeCompare(timeOf(a)))[0]
    return newest && `${newest.reason ?? 'Warning'}: ${newest.message ?? ''}`
  } catch (error) {
    if (isUnreachable(error)) return undefined
    throw error
  }
}

async function tell(api: Api, finding: Finding): Promise<string> {
  const warning = finding.object.kind === 'Pod' ? await newestWarning(api, finding.object) : undefined
  const known = warning === undefined || finding.words !== '' && warning.includes(finding.words)
  return known ? describe(finding) : `${describe(finding)}\n${warning}`
}

const FILES = 3

/** @returns the manifests of what is not Ready in a layer: what a pod lacks stands in that of its release or Deployment. */
async function manifestsOf(layer: KustomizationObject, finding: Finding, snapshot: Snapshot): Promise<string[]> {
  const parts = pendingParts(layer, snapshot).filter(({ object }) => object.kind === 'HelmRelease' || object.kind === 'Deployment')
  const files = await Promise.all([...parts, finding].map(({ object, words }) => locate(object, words)))
  return files.filter(file => file !== undefined)
}

/** @param options.deadline milliseconds that were waited; options.reason what was still missing */
export async function lateError(api: Api, snapshot: Snapshot, options: { goal: Goal, deadline: number, reason: string }): Promise<TaskError> {
  const { goal } = options
  const all = inChainOrder(snapshot.kustomizations).filter(layer => !goal.blocked.has(layer.metadata.name) && judgeKustomization(layer, goal.revision).state !== 'ready')
  const behind = all.slice(0, FEW)
  const findings = behind.map(layer => deepestCause(layer, snapshot) ?? { object: layer, ...judgeKustomization(layer, goal.revision) })
  const causes = await Promise.all(findings.map(finding => tell(api, finding)))
  const blocked = await Promise.all(findings.map(finding => webhookFix(api, finding.words)))
  const webhooks = [...new Set(blocked.filter(fix => fix !== undefined))]
  const files = await Promise.all(behind.map((layer, index) => manifestsOf(layer, findings[index] ?? { object: layer, state: 'working', words: '' }, snapshot)))
  const certificates = pendingCertificates(snapshot).map(row => `${row.label}: ${row.words}`)
  return failure(`the platform is not Ready after ${elapsed(options.deadline)}`, {
    where: [options.reason, ...new Set(files.flat())].slice(0, FILES + 1).join(' · '),
    why: [...new Set([...firstFew(causes, { of: all.length }), ...firstFew(certificates)])].join('\n'),
    fix: webhooks.length > 0 ? [...webhooks, 'then the same command again'].join('\n') : 'make verify shows what is left; the cluster keeps trying, and running the same command again is safe',
  })
}
