/**
 * Decides whom to wake. Flux polls: a dependent looks for its dependency every --requeue-dependency, a health check every 5 s. An annotation
 * wakes a Kustomization at once, and with CancelHealthCheckOnNewRevision it also restarts a running health check, whose first look is immediate
 * (seen on kustomize-controller 1.9.5).
 */
import { pendingParts } from './causes.ts'
import { inventoryOf, isAppliedAt } from './flux-state.ts'
import { conditionOf } from './objects.ts'
import type { Goal } from './platform-tree.ts'
import type { KustomizationObject, Snapshot } from './snapshot.ts'

export const REQUESTED_AT = 'reconcile.fluxcd.io/requestedAt'

/** Key of a poke that restarts a health check. */
export const HEALTH = 'health'

/** Kinds whose health a task can see for itself; a layer with others in progress is left to its own health check. */
const visible = new Set(['HelmRelease', 'ClusterIssuer', 'Deployment'])
const healthy = new Set(['ConfigMap', 'Secret', 'Namespace', 'NetworkPolicy', 'ResourceQuota', 'LimitRange', 'Service', 'Ingress', 'Middleware', 'OCIRepository', 'HelmRepository', 'ServiceAccount', 'Certificate'])

function dependenciesReady(layer: KustomizationObject, snapshot: Snapshot, revision: string | undefined): boolean {
  return (layer.spec?.dependsOn ?? []).every(dependency => {
    const found = snapshot.kustomizations.find(one => one.metadata.name === dependency.name)
    return found !== undefined && isAppliedAt(found, revision)
  })
}

function isCheckingHealth(layer: KustomizationObject): boolean {
  return /running health checks/i.test(conditionOf(layer, 'Reconciling')?.message ?? '')
}

function partsAreHealthy(layer: KustomizationObject, snapshot: Snapshot): boolean {
  const entries = inventoryOf(layer)
  if (entries.length === 0 || !entries.every(entry => visible.has(entry.kind) || healthy.has(entry.kind))) return false
  return pendingParts(layer, snapshot).every(part => part.object.kind === 'Certificate' || part.object.kind === 'Challenge' || part.object.kind === 'Order')
}

/** @returns layers that would go on at once if they were woken now, each with a key that changes when waking it again can help. */
export function layersToPoke(snapshot: Snapshot, goal: Goal): { name: string, key: string }[] {
  const behind = snapshot.kustomizations.filter(layer => layer.spec?.suspend !== true && layer.metadata.deletionTimestamp === undefined
    && !goal.blocked.has(layer.metadata.name) && !isAppliedAt(layer, goal.revision))
  return behind.flatMap(layer => {
    const condition = conditionOf(layer, 'Ready')
    const { name, resourceVersion = '' } = layer.metadata
    if (condition?.reason === 'DependencyNotReady' && dependenciesReady(layer, snapshot, goal.revision)) return [{ name, key: `dependency ${resourceVersion}` }]
    if (isCheckingHealth(layer) && partsAreHealthy(layer, snapshot)) return [{ name, key: HEALTH }]
    return []
  })
}
