/** Carries a teardown out: custom resources while their controllers live, Flux last, each step waited for. */
import { type Api, list, patch, remove } from './api.ts'
import { makeResourceFinder } from './apply.ts'
import { failure } from './errors.ts'
import type { Item } from './inventory.ts'
import { type KubeObject, refOf } from './objects.ts'
import { attention, doing } from './output.ts'
import { FLUX_NAMESPACE } from './platform-tree.ts'
import { type Leftover, findExisting, inParallel, waitGone } from './removal.ts'
import { Challenge, CustomResourceDefinition, GitRepository, HelmRelease, Kustomization, Namespace, Order } from './resources.ts'
import type { Snapshot } from './snapshot.ts'
import type { TeardownPlan } from './teardown-plan.ts'

const KEEP_FROM_PRUNE = { metadata: { annotations: { 'kustomize.toolkit.fluxcd.io/prune': 'disabled' } } }

/** @throws failure that names every leftover with what holds it */
export function requireGone(left: Leftover[], step: string): void {
  const [first] = left
  if (first === undefined) return
  throw failure(`${left.length === 1 ? refOf(first.object) : `${left.length} objects`} cannot be removed`, {
    where: step, why: left.map(one => `${refOf(one.object)} ${one.words}`).join('\n'), fix: [...left.map(one => one.fix), 'then: make teardown'].join('\n'),
  })
}

/** Keeps the root from bringing anything back, and lets everything else take part in its own removal. */
export async function prepare(api: Api, snapshot: Snapshot, options: { root: string, neighbours: string[] }): Promise<void> {
  const suspend = (value: boolean) => ({ spec: { suspend: value } })
  const root = snapshot.kustomizations.find(layer => layer.metadata.name === options.root)
  if (root) await patch(api, Kustomization, { namespace: FLUX_NAMESPACE, name: options.root, body: suspend(true) })
  const suspended = [...snapshot.kustomizations.filter(layer => layer !== root), ...snapshot.releases].filter(object => object.spec?.suspend === true)
  for (const object of suspended) attention(`${refOf(object)} is suspended: resumed, so that it removes what it brought`)
  await Promise.all([
    ...suspended.map(object => patch(api, object.kind === 'HelmRelease' ? HelmRelease : Kustomization, { namespace: FLUX_NAMESPACE, name: object.metadata.name, body: suspend(false) })),
    ...options.neighbours.map(name => patch(api, Namespace, { name, body: KEEP_FROM_PRUNE })),
  ])
}

/** Removes the layers level by level; each takes what it applied and its releases with it. */
export async function removeLayers(api: Api, plan: TeardownPlan, deadline: number): Promise<void> {
  for (const [index, level] of plan.levels.entries()) {
    const title = `level ${index + 1} of ${plan.levels.length}: ${level.join(', ')}`
    doing(title)
    await Promise.all(level.map(name => remove(api, Kustomization, { namespace: FLUX_NAMESPACE, name })))
    const owners = new Set(level.map(name => `Kustomization/${FLUX_NAMESPACE}/${name}`))
    const brought = plan.proof.filter(item => owners.has(item.from) || (item.kind === 'Kustomization' && level.includes(item.name)))
    requireGone(await waitGone(api, brought.filter(item => item.kind !== 'Namespace' || plan.namespaces.includes(item.name)), { deadline, title }), title)
    await settleAcme(api, plan, deadline)
  }
}

// Orders and challenges go by garbage collection after their certificate; cert-manager has to be there to let go of their finalizers.
async function settleAcme(api: Api, plan: TeardownPlan, deadline: number): Promise<void> {
  const certificates = new Set(plan.proof.filter(item => item.kind === 'Certificate').map(item => item.namespace))
  const found = (await Promise.all([Order, Challenge].map(kind => list(api, kind)))).flatMap(kind => kind.items)
  const dying = found.filter(object => certificates.has(object.metadata.namespace) && object.metadata.deletionTimestamp !== undefined)
  if (dying.length === 0) return
  const items = dying.map((object): Item => ({ apiVersion: object.apiVersion, kind: object.kind, ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}), name: object.metadata.name, from: 'cert-manager' }))
  requireGone(await waitGone(api, items, { deadline, title: 'orders and challenges' }), 'orders and challenges of removed certificates')
}

/** @returns definitions that still have objects of somebody else: deleting those would delete what the platform did not create. */
async function definitionsInUse(api: Api, names: string[]): Promise<Map<string, number>> {
  const definitions = (await list<KubeObject<{ group: string, names: { plural: string, kind: string }, versions: { name: string, storage: boolean }[] }>>(api, CustomResourceDefinition)).items
  const counts = await inParallel(definitions.filter(one => names.includes(one.metadata.name)), async one => {
    const version = one.spec?.versions.find(candidate => candidate.storage)?.name ?? ''
    const resource = { kind: one.spec?.names.kind ?? '', apiVersion: `${one.spec?.group}/${version}`, plural: one.spec?.names.plural ?? '', namespaced: true }
    const { items } = await list(api, resource)
    return [one.metadata.name, items.filter(object => object.metadata.deletionTimestamp === undefined && (object.metadata.ownerReferences ?? []).length === 0).length] as const
  })
  return new Map(counts.filter(([, count]) => count > 0))
}

/** Removes namespaces and the charts' definitions. @returns definitions left alone because others use them */
export async function removeShared(api: Api, plan: TeardownPlan, deadline: number): Promise<string[]> {
  doing(`namespaces ${plan.namespaces.join(', ')}`)
  await Promise.all(plan.namespaces.map(name => remove(api, Namespace, { name })))
  const namespaces = plan.namespaces.map((name): Item => ({ apiVersion: 'v1', kind: 'Namespace', name, from: 'the platform' }))
  requireGone(await waitGone(api, namespaces, { deadline, title: 'namespaces' }), 'namespaces of the platform')
  const used = await definitionsInUse(api, plan.definitions)
  for (const [name, count] of used) attention(`CustomResourceDefinition/${name} stays: ${count} objects that the platform did not create use it`)
  const gone = plan.definitions.filter(name => !used.has(name))
  doing(`${gone.length} definitions of charts`)
  await inParallel(gone, name => remove(api, CustomResourceDefinition, { name }))
  return [...used.keys()]
}

/** Removes root and source while their controllers live, then Flux itself. */
export async function removeFlux(api: Api, plan: TeardownPlan, options: { root: string, deadline: number }): Promise<void> {
  doing('Flux')
  await Promise.all([remove(api, Kustomization, { namespace: FLUX_NAMESPACE, name: options.root }), remove(api, GitRepository, { namespace: FLUX_NAMESPACE, name: options.root })])
  const own = plan.proof.filter(item => item.apiVersion.includes('.fluxcd.io/'))
  requireGone(await waitGone(api, own, { deadline: options.deadline, title: 'Flux objects' }), 'Flux objects')
  const find = makeResourceFinder(api)
  const parts = await findExisting(api, plan.proof.filter(item => item.from === 'Flux'))
  await inParallel(parts, async object => {
    const resource = await find(object)
    if (resource) await remove(api, resource, { namespace: object.metadata.namespace, name: object.metadata.name })
  })
  await remove(api, Namespace, { name: FLUX_NAMESPACE })
}
