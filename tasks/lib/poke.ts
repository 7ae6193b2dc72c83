/**
 * Decides whom to wake. Flux polls: a dependent looks for its dependency every --requeue-dependency, a health check every 5 s. An annotation
 * wakes a Kustomization at once, and with CancelHealthCheckOnNewRevision it also restarts a running health check, whose first look is immediate
 * (seen on kustomize-controller 1.9.5). One woken while it works does its work twice: so nobody is woken who goes on alone.
 * A HelmRelease never is: woken in the moment it begins by itself, it cancels its own wait and installs once more, as an upgrade.
 */
import { pendingParts } from './causes.ts'
import { inventoryOf, isAppliedAt, isCheckingHealth } from './flux-state.ts'
import { isWritten } from './marks.ts'
import { conditionOf } from './objects.ts'
import type { Goal } from './platform-tree.ts'
import type { KustomizationObject, Snapshot } from './snapshot.ts'

const AGAIN_MS = 3000
const FIRST_LOOK_MS = 2000
/** kustomize-controller's --concurrent: with as many checks running, a restarted one would go to the end of the queue; more layers than these wait for their turn. */
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

/** @returns a function that says who is to be woken now, to be asked on every change: each layer once per reason, again if nothing came of it in its turn. */
export function makeWaker(): (snapshot: Snapshot, goal: Goal, now: number) => string[] {
  const woken = new Map<string, { key: string, at: number }>()
  const checks = new Map<string, Check>()
  return (snapshot, goal, now) => {
    followChecks(checks, snapshot, now)
    const able = layersToPoke(snapshot, goal)
    const turn = AGAIN_MS * Math.max(1, able.length / WORKERS)
    const due = able.filter(({ name, key }) => {
      const last = woken.get(name)
      if (last !== undefined && last.key === key && now - last.at <= turn) return false
      const check = checks.get(name)
      if (key === HEALTH && checks.size >= WORKERS) return false
      return key !== HEALTH || check === undefined || check.sawPending || now - check.since >= FIRST_LOOK_MS
    })
    for (const { name, key } of due) woken.set(name, { key, at: now })
    return due.map(({ name }) => name)
  }
}
