/** Finds what an object waits for, from the deepest level that says so: pods, orders and challenges before releases and layers. */
import { type Judgement, type State, inventoryOf, isRolledOut } from './flux-state.ts'
import { type KubeObject, conditionOf, isReady, refOf } from './objects.ts'
import { judgeRelease } from './release-state.ts'
import type { CertificateObject, HelmReleaseObject, KustomizationObject, PodObject, Snapshot } from './snapshot.ts'

export interface Finding {
  object: KubeObject
  state: State
  words: string
}

function podWords(pod: PodObject): string {
  const unscheduled = conditionOf(pod, 'PodScheduled')
  if (unscheduled?.status === 'False') return unscheduled.message ?? 'not scheduled'
  for (const container of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const waiting = container.state?.waiting
    if (waiting) return `container ${container.name}: ${[waiting.reason, waiting.message].filter(Boolean).join(': ')}${container.restartCount > 0 ? ` (${container.restartCount} restarts)` : ''}`
    if (!container.ready && container.restartCount > 0) return `container ${container.name} is not ready after ${container.restartCount} restarts`
  }
  return pod.status?.message ?? conditionOf(pod, 'Ready')?.message ?? `phase ${pod.status?.phase ?? 'Pending'}`
}

const hopeless = /CrashLoopBackOff|ImagePullBackOff|ErrImagePull|CreateContainerConfigError|InvalidImageName/

function podFinding(pod: PodObject): Finding {
  const words = podWords(pod)
  return { object: pod, state: hopeless.test(words) ? 'failed' : 'working', words }
}

/** @returns pods in a namespace that are neither Ready nor Succeeded, filtered. */
function pendingPods(snapshot: Snapshot, namespace: string, matches: (pod: PodObject) => boolean): Finding[] {
  return snapshot.pods
    .filter(pod => pod.metadata.namespace === namespace && pod.metadata.deletionTimestamp === undefined && matches(pod))
    .filter(pod => pod.status?.phase !== 'Succeeded' && conditionOf(pod, 'Ready')?.status !== 'True')
    .map(podFinding)
}

/** @returns the pods of a release that are not Ready, by the labels and name prefix that Helm charts give. */
export function releasePods(release: HelmReleaseObject, snapshot: Snapshot): Finding[] {
  const name = release.spec?.releaseName ?? release.metadata.name
  const namespace = release.spec?.targetNamespace ?? release.metadata.namespace ?? ''
  return pendingPods(snapshot, namespace, pod => pod.metadata.labels?.['app.kubernetes.io/instance'] === name || pod.metadata.name.startsWith(`${name}-`))
}

/** Makes a lookup that goes through each list of a snapshot once, not once for every object that is sought in it. */
function makeLookup(keysOf: (object: KubeObject) => string[]): <T extends KubeObject>(objects: T[], key: string) => T[] {
  const indexes = new WeakMap<KubeObject[], Map<string, KubeObject[]>>()
  return <T extends KubeObject>(objects: T[], key: string) => {
    let index = indexes.get(objects)
    if (index === undefined) {
      index = new Map()
      for (const object of objects) for (const one of keysOf(object)) index.set(one, [...index.get(one) ?? [], object])
      indexes.set(objects, index)
    }
    return (index.get(key) ?? []) as T[]
  }
}

const lookUpOwned = makeLookup(object => object.metadata.ownerReferences?.map(({ uid }) => uid) ?? [])
const lookUpNamed = makeLookup(({ metadata: { namespace = '', name } }) => [`${namespace}/${name}`])

const ownedBy = <T extends KubeObject>(objects: T[], owner: KubeObject): T[] => lookUpOwned(objects, owner.metadata.uid ?? '')

/** @returns the state of a certificate in the words of its Challenge, Order or CertificateRequest, deepest first. */
export function certificateFinding(certificate: CertificateObject, snapshot: Snapshot): Finding {
  if (isReady(certificate)) return { object: certificate, state: 'ready', words: '' }
  const requests = ownedBy(snapshot.certificateRequests, certificate)
  const orders = requests.flatMap(request => ownedBy(snapshot.orders, request))
  const challenges = orders.flatMap(order => ownedBy(snapshot.challenges, order))
  for (const object of [...challenges, ...orders]) {
    if (object.status?.state === 'valid' || object.status?.reason === undefined || object.status.reason === '') continue
    return { object, state: /invalid|errored/.test(object.status.state ?? '') ? 'failed' : 'working', words: object.status.reason }
  }
  const issuing = conditionOf(certificate, 'Issuing')
  const failed = issuing?.status === 'False' && issuing.reason === 'Failed'
  const request = requests.find(one => !isReady(one))
  const words = (failed ? issuing.message : undefined) ?? (request && conditionOf(request, 'Ready')?.message) ?? conditionOf(certificate, 'Ready')?.message ?? 'not requested yet'
  return { object: certificate, state: failed ? 'failed' : 'working', words }
}

const findIn = <T extends KubeObject>(objects: T[], { namespace, name }: { namespace: string, name: string }): T | undefined => lookUpNamed(objects, `${namespace}/${name}`)[0]

function simpleFinding(object: KubeObject | undefined): Finding[] {
  if (object === undefined || isReady(object)) return []
  return [{ object, state: 'working', words: conditionOf(object, 'Ready')?.message ?? 'not judged yet' }]
}

/** @returns the parts of a layer that are not Ready: releases, issuers, workloads; certificates too when `certificates`. */
export function pendingParts(kustomization: KustomizationObject, snapshot: Snapshot): Finding[] {
  return inventoryOf(kustomization).flatMap((entry): Finding[] => {
    if (entry.kind === 'HelmRelease') {
      const release = findIn(snapshot.releases, entry)
      const judged: Judgement = release ? judgeRelease(release, snapshot) : { state: 'working', words: '' }
      return release && judged.state !== 'ready' ? [{ object: release, ...judged }] : []
    }
    if (entry.kind === 'ClusterIssuer') return simpleFinding(findIn(snapshot.issuers, entry))
    if (entry.kind === 'Certificate') return simpleFinding(findIn(snapshot.certificates, entry)).map(one => certificateFinding(one.object as CertificateObject, snapshot))
    if (entry.kind === 'Kustomization') return []
    const deployment = entry.kind === 'Deployment' ? findIn(snapshot.deployments, entry) : undefined
    if (deployment === undefined || isRolledOut(deployment)) return []
    const pods = pendingPods(snapshot, entry.namespace, pod => pod.metadata.name.startsWith(`${entry.name}-`))
    const refused = conditionOf(deployment, 'ReplicaFailure')
    const words = refused?.status === 'True' ? refused.message : undefined
    return [{ object: deployment, state: words === undefined ? 'working' : 'failed', words: words ?? `${deployment.status?.availableReplicas ?? 0}/${deployment.spec?.replicas ?? 1} available` }, ...pods]
  })
}

const severity: State[] = ['stuck', 'failed', 'working', 'waiting', 'ready']

/** @returns the finding that explains a layer best: the worst state, and among equals the deepest. */
export function deepestCause(kustomization: KustomizationObject, snapshot: Snapshot): Finding | undefined {
  const parts = pendingParts(kustomization, snapshot).filter(part => part.object.kind !== 'Certificate' || part.state === 'failed')
  const deep = parts.flatMap(part => part.object.kind === 'HelmRelease' && part.state !== 'stuck' ? [part, ...releasePods(part.object as HelmReleaseObject, snapshot)] : [part])
  return deep.map((finding, depth) => ({ finding, depth })).sort((a, b) => severity.indexOf(a.finding.state) - severity.indexOf(b.finding.state) || b.depth - a.depth)[0]?.finding
}

/** @returns a finding as one line. */
export const describe = (finding: Finding): string => `${refOf(finding.object)}: ${finding.words}`
