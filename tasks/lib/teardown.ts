/** Carries a teardown out: custom resources while their controllers live, Flux last, each step waited for. */
import { type Api, patch, remove } from './api.ts'
import { makeResourceFinder } from './apply.ts'
import { definitionsInUse } from './definitions-in-use.ts'
import { failure, refusal } from './errors.ts'
import { explainLeft } from './holders.ts'
import type { Item } from './inventory.ts'
import { keepFromPrune, releaseDefinitions, releaseNamespaces } from './neighbours.ts'
import { type KubeObject, refOf } from './objects.ts'
import { attention, doing } from './output.ts'
import { FLUX_NAMESPACE } from './platform-tree.ts'
import { findExisting, inParallel, waitGone } from './removal.ts'
import { CustomResourceDefinition, GitRepository, HelmRelease, Kustomization, Namespace, Secret } from './resources.ts'
import type { Snapshot } from './snapshot.ts'
import { dyingAcme } from './dying-acme.ts'
import type { TeardownPlan } from './teardown-plan.ts'

/** What every step of one teardown needs. */
export interface Teardown {
  api: Api
  plan: TeardownPlan
  /** Name of the root layer. */
  root: string
  /** Milliseconds that one step may take. */
  deadline: number
}

/** @throws refusal where somebody else's objects live by the Flux that is to be removed: they would be orphaned or hang */
export function requireNoStrangers(everything: Snapshot, snapshot: Snapshot): void {
  const fields = ['gitRepositories', 'ociRepositories', 'helmRepositories', 'kustomizations', 'releases'] as const
  const strangers = fields.flatMap(field => everything[field].filter(object => !(snapshot[field] as KubeObject[]).includes(object)))
  if (strangers.length === 0) return
  throw refusal('others use the Flux that would be removed', {
    why: strangers.map(object => `${refOf(object)} is not of this repository`).join('\n'),
    fix: [...strangers.map(object => `kubectl -n ${object.metadata.namespace} delete ${object.kind.toLowerCase()} ${object.metadata.name}`), 'then: make teardown'].join('\n'),
  })
}

/**
 * Waits for the end of a step.
 * @throws failure that names what is left by what holds it, each with its fix
 */
export async function requireGone({ api, plan, deadline }: Teardown, items: Item[], step: string): Promise<void> {
  const left = await waitGone(api, items, { deadline, title: step })
  if (left.length === 0) return
  const explained = await explainLeft(api, left, plan.proof)
  const held = explained.filter(one => one.held)
  const again = held.length > 0 ? 'then: make teardown' : `nothing else holds them; give it longer: make teardown TIMEOUT=${Math.ceil(deadline / 500)}`
  throw failure(held[0] ? `${held.length === 1 ? refOf(held[0].object) : `${held.length} objects`} cannot be removed` : `${explained.length} objects are not gone yet`, {
    where: step, why: explained.map(one => `${refOf(one.object)} ${one.words}`).join('\n'),
    fix: [...new Set([...explained.flatMap(one => one.fix ?? []), again])].join('\n'),
  })
}

const suspend = (value: boolean) => ({ spec: { suspend: value } })

/** Keeps the root from bringing anything back, and lets everything else take part in its own removal. */
export async function prepare({ api, plan, root }: Teardown, snapshot: Snapshot): Promise<void> {
  const stack = snapshot.kustomizations.find(layer => layer.metadata.name === root)
  if (stack) await patch(api, Kustomization, { namespace: FLUX_NAMESPACE, name: root, body: suspend(true) })
  const suspended = [...snapshot.kustomizations.filter(layer => layer !== stack), ...snapshot.releases].filter(object => object.spec?.suspend === true)
  for (const object of suspended) attention(`${refOf(object)} is suspended: resumed, so that it removes what it brought`)
  await Promise.all([
    ...suspended.map(object => patch(api, object.kind === 'HelmRelease' ? HelmRelease : Kustomization, { namespace: FLUX_NAMESPACE, name: object.metadata.name, body: suspend(false) })),
    keepFromPrune(api, [...plan.neighbours, ...plan.kept]),
  ])
}

/** Removes the layers level by level; each takes what it applied and its releases with it. */
export async function removeLayers(teardown: Teardown): Promise<void> {
  const { api, plan } = teardown
  for (const [index, level] of plan.levels.entries()) {
    const title = `level ${index + 1} of ${plan.levels.length}: ${level.join(', ')}`
    doing(title)
    await Promise.all(level.map(name => remove(api, Kustomization, { namespace: FLUX_NAMESPACE, name })))
    const owners = new Set(level.map(name => `Kustomization/${FLUX_NAMESPACE}/${name}`))
    const brought = plan.proof.filter(item => owners.has(item.from) || (item.kind === 'Kustomization' && level.includes(item.name)))
    await requireGone(teardown, brought, title)
    const acme = await dyingAcme(api, new Set(plan.proof.filter(item => item.kind === 'Certificate').map(item => item.namespace ?? '')))
    if (acme.length > 0) await requireGone(teardown, acme, 'orders and challenges of removed certificates')
  }
}

/** Removes namespaces and the charts' definitions. @returns definitions left alone because others use them */
export async function removeShared(teardown: Teardown): Promise<string[]> {
  const { api, plan } = teardown
  doing(`namespaces ${plan.namespaces.join(', ')}`)
  const secrets = plan.proof.filter(item => item.from === 'cert-manager')
  await Promise.all([
    ...secrets.map(({ namespace, name }) => remove(api, Secret, { namespace, name })),
    ...plan.namespaces.map(name => remove(api, Namespace, { name })),
  ])
  await requireGone(teardown, plan.namespaces.map((name): Item => ({ apiVersion: 'v1', kind: 'Namespace', name, from: 'the platform' })), 'namespaces')
  const used = await definitionsInUse(api, plan.definitions)
  for (const [name, count] of used) attention(`CustomResourceDefinition/${name} stays: ${count} objects that the platform did not create use it`)
  const gone = plan.definitions.filter(name => !used.has(name))
  doing(`${gone.length} definitions of charts`)
  await inParallel(gone, name => remove(api, CustomResourceDefinition, { name }))
  return [...used.keys()]
}

/** Removes root and source while their controllers live, then Flux itself. */
export async function removeFlux(teardown: Teardown): Promise<void> {
  const { api, plan, root } = teardown
  doing('Flux')
  await Promise.all([remove(api, Kustomization, { namespace: FLUX_NAMESPACE, name: root }), remove(api, GitRepository, { namespace: FLUX_NAMESPACE, name: root })])
  await requireGone(teardown, plan.proof.filter(item => item.apiVersion.includes('.fluxcd.io/')), 'Flux objects')
  // while the record of neighbours, which goes with Flux's namespace, is still there
  await Promise.all([releaseNamespaces(api, [...plan.neighbours, ...plan.kept]), releaseDefinitions(api, plan.neighbourDefinitions)])
  const find = makeResourceFinder(api)
  await inParallel(await findExisting(api, plan.proof.filter(item => item.from === 'Flux')), async object => {
    const resource = await find(object)
    if (resource) await remove(api, resource, { namespace: object.metadata.namespace, name: object.metadata.name })
  })
  await remove(api, Namespace, { name: FLUX_NAMESPACE })
}
