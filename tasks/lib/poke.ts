/**
 * Decides whom to wake. Flux polls: a dependent looks for its dependency every --requeue-dependency, a health check every 5 s. An annotation
 * wakes a Kustomization at once, and with CancelHealthCheckOnNewRevision it also restarts a running health check, whose first look is immediate
 * (seen on kustomize-controller 1.9.5). One woken while it works does its work twice: so nobody is woken who goes on alone.
 */
import { pendingParts } from './causes.ts'
import { inventoryOf, isAppliedAt, isCheckingHealth, isCurrent } from './flux-state.ts'
import { isWritten } from './marks.ts'
import { conditionOf, isReady } from './objects.ts'
import type { Goal } from './platform-tree.ts'
import { HelmRelease, Kustomization, type Resource } from './resources.ts'
import type { KustomizationObject, Snapshot } from './snapshot.ts'

const AGAIN_MS = 3000
const FIRST_LOOK_MS = 2000
/** kustomize-controller's --concurrent: with as many checks running, a restarted one would go to the end of the queue. */
const WORKERS = 10
const HEALTH = 'health'

/** Kinds whose health a task can see for itself; a layer with others in progress is left to its own health check. */
const visible = new Set(['HelmRelease', 'ClusterIssuer', 'Deployment'])
const healthy = new Set(['ConfigMap', 'Secret', 'Namespace', 'NetworkPolicy', 'ResourceQuota', 'LimitRange', 'Service', 'Ingress', 'Middleware', 'OCIRepository', 'HelmRepository', 'ServiceAccount', 'Certificate'])

function dependenciesReady(layer: KustomizationObject, snapshot: Snapshot, revision: string | undefined): boolean {
  return (layer.spec?.dependsOn ?? []).every(dependency => {
    const found = snapshot.kustomizations.find(one => one.metadata.name === dependency.name)
    return found !== undefined && isAppliedAt(found, revision)
  })
}

function partsAreHealthy(layer: KustomizationObject, snapshot: Snapshot): boolean {
  const entries = inventoryOf(layer)
  if (entries.length === 0 || !entries.every(entry => visible.has(entry.kind) || healthy.has(entry.kind))) return false
  return pendingParts(layer, snapshot).every(part => part.object.kind === 'Certificate' || part.object.kind === 'Challenge' || part.object.kind === 'Order')
}

/** A layer that is asked for anew comes after its dependencies: before, it would only repeat what it has. */
function isDueAnew(layer: KustomizationObject, snapshot: Snapshot, goal: Goal): boolean {
  if (goal.anew !== true || isWritten(layer, goal.marks) || !dependenciesReady(layer, snapshot, goal.revision)) return false
  return (layer.spec?.dependsOn ?? []).every(dependency => snapshot.kustomizations.some(one => one.metadata.name === dependency.name && isWritten(one, goal.marks)))
}

/** @returns layers that would go on at once if they were woken now, each with a key that changes when waking it again can help. */
export function layersToPoke(snapshot: Snapshot, goal: Goal): { name: string, key: string }[] {
  const active = snapshot.kustomizations.filter(layer => layer.spec?.suspend !== true && layer.metadata.deletionTimestamp === undefined && !goal.blocked.has(layer.metadata.name))
  return active.flatMap(layer => {
    const condition = conditionOf(layer, 'Ready')
    const { name } = layer.metadata
    if (isDueAnew(layer, snapshot, goal)) return [{ name, key: 'anew' }]
    if (isAppliedAt(layer, goal.revision)) return []
    if (condition?.reason === 'DependencyNotReady' && dependenciesReady(layer, snapshot, goal.revision)) return [{ name, key: `dependency ${layer.status?.lastHandledReconcileAt ?? ''}` }]
    // a cancelled check is queued already
    if (isCheckingHealth(layer) && condition?.reason !== 'HealthCheckCanceled' && partsAreHealthy(layer, snapshot)) return [{ name, key: HEALTH }]
    return []
  })
}

/** @returns releases that wait for others which are Ready now: helm-controller would look again after --requeue-dependency. */
export function releasesToPoke({ releases }: Snapshot): { name: string, key: string }[] {
  const isDone = (name: string) => releases.some(one => one.metadata.name === name && isReady(one) && isCurrent(one, 'Ready'))
  const waiting = releases.filter(release => release.spec?.suspend !== true && release.metadata.deletionTimestamp === undefined && conditionOf(release, 'Ready')?.reason === 'DependencyNotReady')
  return waiting.filter(release => (release.spec?.dependsOn ?? []).every(({ name }) => isDone(name)))
    .map(({ metadata, status }) => ({ name: metadata.name, key: `dependency ${status?.lastHandledReconcileAt ?? ''}` }))
}

/** Somebody to wake by annotation. */
export interface Sleeper { resource: Resource, name: string }

interface Check { since: number, sawPending: boolean }

/** Remembers for each running health check whether it began too early: one that found all healthy ends by itself. */
function followChecks(checks: Map<string, Check>, snapshot: Snapshot, now: number): void {
  const running = snapshot.kustomizations.filter(isCheckingHealth)
  for (const name of checks.keys()) if (!running.some(layer => layer.metadata.name === name)) checks.delete(name)
  for (const layer of running) {
    const { since = now, sawPending = false } = checks.get(layer.metadata.name) ?? {}
    checks.set(layer.metadata.name, { since, sawPending: sawPending || !partsAreHealthy(layer, snapshot) })
  }
}

/** @returns a function that says who is to be woken now, to be asked on every change: each one once per reason, again if nothing came of it. */
export function makeWaker(): (snapshot: Snapshot, goal: Goal, now: number) => Sleeper[] {
  const woken = new Map<string, { key: string, at: number }>()
  const checks = new Map<string, Check>()
  const isDue = ({ resource, name, key }: Sleeper & { key: string }, now: number) => {
    const last = woken.get(`${resource.kind}/${name}`)
    if (last !== undefined && last.key === key && now - last.at <= AGAIN_MS) return false
    if (key !== HEALTH) return true
    const check = checks.get(name)
    return checks.size < WORKERS && (check === undefined || check.sawPending || now - check.since >= FIRST_LOOK_MS)
  }
  return (snapshot, goal, now) => {
    followChecks(checks, snapshot, now)
    const layers = layersToPoke(snapshot, goal).map(one => ({ ...one, resource: Kustomization }))
    const releases = releasesToPoke(snapshot).map(one => ({ ...one, resource: HelmRelease }))
    const due = [...layers, ...releases].filter(one => isDue(one, now))
    for (const { resource, name, key } of due) woken.set(`${resource.kind}/${name}`, { key, at: now })
    return due.map(({ resource, name }) => ({ resource, name }))
  }
}
