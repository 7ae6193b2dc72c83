/** Judges Flux objects: pure functions from what the cluster says to a state and the controller's own words. */
import { type KubeObject, conditionOf, isReady } from './objects.ts'
import type { ChartSourceObject, DeploymentObject, GitRepositoryObject, KustomizationObject } from './snapshot.ts'

/** `waiting`: for another object; `working`: under way; `failed`: the controller reports an error that it retries; `stuck`: no retry can mend it. */
export type State = 'ready' | 'working' | 'waiting' | 'failed' | 'stuck'

export interface Judgement {
  state: State
  /** Why it is not ready, in the controller's words; empty when it is. */
  words: string
}

/** Nothing is left to wait for. */
export const ready: Judgement = { state: 'ready', words: '' }

/**
 * Error texts that no retry mends: the manifest, the overlay path or the chart version has to change. Words of kustomize-controller, the API
 * server and the OCI and Helm clients, seen on Flux 2.9.
 */
const unrecoverable = [
  /kustomization path not found/i, /kustomize build failed|accumulating resources|no such file or directory/i, /variable not set|strict mode|bad substitution|parse error in substitution/i,
  /dry-run failed \((Invalid|BadRequest|MethodNotAllowed)\)|dry-run failed.*(is invalid|strict decoding error|failed to create typed patch|immutable)/is, /failed to decode Kubernetes YAML|error converting YAML|yaml: /i,
  /MANIFEST_UNKNOWN|manifest unknown|NAME_UNKNOWN|no '.*' chart with version|chart version.*not found|invalid chart reference|improper constraint/i,
  /couldn't find remote ref|reference not found|authentication required|repository not found/i,
  /server-side apply failed for object .* is invalid: /s, /values don't meet the specifications of the schema|YAML parse error on|execution error at|parse error at|error calling include/i,
]

/** @returns true when retrying cannot help; `words` is a condition's message. */
export function isUnrecoverable(words: string): boolean {
  return unrecoverable.some(pattern => pattern.test(words))
}

const missingInputs = /substitute from 'Secret\/[^']*' error|Secret "?[^ ]*platform-runtime-inputs"? not found/i

/** @returns true when a condition was written for the object's newest spec. */
export function isCurrent(object: KubeObject, type: string): boolean {
  const observed = conditionOf(object, type)?.observedGeneration ?? object.status?.observedGeneration
  return observed === undefined || observed === object.metadata.generation
}

/** @returns the state of an object that is not Ready; `fallback` where its controller has said nothing yet. */
export function judgeFailure(object: KubeObject, fallback: string): Judgement {
  if (conditionOf(object, 'Ready') !== undefined && !isCurrent(object, 'Ready')) return { state: 'working', words: 'waits for its controller' }
  const words = conditionOf(object, 'Ready')?.message ?? fallback
  const stalled = conditionOf(object, 'Stalled')
  if (stalled?.status === 'True') return { state: 'stuck', words: stalled.message ?? words }
  if (isUnrecoverable(words) && !missingInputs.test(words)) return { state: 'stuck', words }
  return { state: conditionOf(object, 'Ready')?.status === 'False' ? 'failed' : 'working', words }
}

/** @returns a controller's progress message without what every such message repeats. */
const progressWords = (words: string): string => words.replace(/ for revision \S+ with a timeout of \S+$/, '').replace(/sha1:([0-9a-f]{12})[0-9a-f]*/g, 'sha1:$1')

/** @param revision the artifact revision that is meant, e.g. `main@sha1:…`; any when undefined */
export function judgeGitRepository(source: GitRepositoryObject, revision: string | undefined): Judgement {
  if (source.spec?.suspend === true) return { state: 'stuck', words: 'suspended: Flux does not fetch it' }
  if (!isReady(source)) return judgeFailure(source, 'not fetched yet')
  const current = source.status?.artifact?.revision
  if (revision !== undefined && current !== revision) return { state: 'working', words: `has ${shortRevision(current)}, waits for ${shortRevision(revision)}` }
  return ready
}

/** @returns the failing or pending state of a chart's source. */
export function judgeChartSource(source: ChartSourceObject): Judgement {
  if (source.spec?.suspend === true) return { state: 'stuck', words: 'suspended: Flux does not fetch it' }
  return isReady(source) ? ready : judgeFailure(source, 'not fetched yet')
}

/** @returns true when a Flux Kustomization is Ready at the revision. */
export function isAppliedAt(kustomization: KustomizationObject, revision: string | undefined): boolean {
  return isReady(kustomization) && (revision === undefined || kustomization.status?.lastAppliedRevision === revision)
}

/** @returns true while kustomize-controller waits for what it has applied. */
export function isCheckingHealth(kustomization: KustomizationObject): boolean {
  return /running health checks/i.test(conditionOf(kustomization, 'Reconciling')?.message ?? '')
}

/** @returns true when the manifests of a revision are in the cluster, healthy or not: only then do the verdicts on them count. */
export function hasManifestsOf(kustomization: KustomizationObject, revision: string | undefined): boolean {
  if (revision !== undefined && kustomization.status?.lastAttemptedRevision !== revision) return false
  return isAppliedAt(kustomization, revision) || isCheckingHealth(kustomization) || conditionOf(kustomization, 'Ready')?.reason === 'HealthCheckFailed'
}

/** @param revision as for a GitRepository */
export function judgeKustomization(kustomization: KustomizationObject, revision: string | undefined): Judgement {
  if (kustomization.metadata.deletionTimestamp !== undefined) return { state: 'working', words: 'is being deleted' }
  if (kustomization.spec?.suspend === true) return { state: 'stuck', words: 'suspended: Flux does not reconcile it' }
  if (isAppliedAt(kustomization, revision)) return ready
  const condition = conditionOf(kustomization, 'Ready')
  if (condition === undefined) return { state: 'waiting', words: 'not reconciled yet' }
  if (condition.status === 'True') return { state: 'working', words: `has ${shortRevision(kustomization.status?.lastAppliedRevision)}, waits for ${shortRevision(revision)}` }
  const attempted = kustomization.status?.lastAttemptedRevision
  const current = isCurrent(kustomization, 'Ready')
  // written where a wait was cut short because something newer came
  if (/new reconciliation triggered/i.test(condition.message ?? '')) return { state: 'working', words: 'starts again' }
  if (condition.reason === 'DependencyNotReady') return { state: 'waiting', words: condition.message ?? 'waits for its dependencies' }
  if (!current || (revision !== undefined && attempted !== undefined && attempted !== revision)) return { state: 'working', words: `waits for ${shortRevision(revision)}` }
  if (condition.status === 'Unknown') return { state: 'working', words: progressWords(conditionOf(kustomization, 'Reconciling')?.message ?? condition.message ?? 'reconciling') }
  return judgeFailure(kustomization, 'reconciling')
}

/** @returns true when a Deployment has rolled out its newest spec. */
export function isRolledOut(deployment: DeploymentObject): boolean {
  const wanted = deployment.spec?.replicas ?? 1
  const status = deployment.status
  return status?.observedGeneration === deployment.metadata.generation && (status?.updatedReplicas ?? 0) >= wanted
    && (status?.availableReplicas ?? 0) >= wanted && (status?.replicas ?? 0) <= Math.max(wanted, status?.updatedReplicas ?? 0)
}

/** @returns `main@sha1:0123456789ab` from a full revision. */
export function shortRevision(revision: string | undefined): string {
  return revision === undefined ? 'nothing' : revision.replace(/(sha1:[0-9a-f]{12})[0-9a-f]*/, '$1')
}

export interface InventoryEntry { namespace: string, name: string, group: string, kind: string, version: string }

/** Reads a Flux inventory: ids are `namespace_name_group_kind`, empty parts for cluster-scoped objects and the core group. */
export function inventoryOf(kustomization: KustomizationObject): InventoryEntry[] {
  return (kustomization.status?.inventory?.entries ?? []).map(entry => {
    const parts = entry.id.split('_')
    const [kind = '', group = ''] = [parts.pop(), parts.pop()]
    // RBAC names may hold colons, which Flux writes as a double underscore
    const [namespace = '', ...name] = parts
    return { namespace, name: name.join('_').replaceAll('__', ':'), group, kind, version: entry.v }
  })
}
