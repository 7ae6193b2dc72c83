/** Decides what a teardown removes, in which order, and what it leaves alone. Pure: everything it needs is handed in. */
import { isAppliedAt } from './flux-state.ts'
import type { Item } from './inventory.ts'
import { KEPT_NAMESPACE } from './kept-data.ts'
import type { Neighbours } from './neighbours.ts'
import type { KubeObject } from './objects.ts'
import { FLUX_NAMESPACE } from './platform-tree.ts'
import { type HelmReleaseObject, type KustomizationObject, type Snapshot, layerOf } from './snapshot.ts'

export type ClaimObject = KubeObject<{ storageClassName?: string, resources?: { requests?: { storage?: string } } }>

export interface TeardownPlan {
  /** Names of layers, level by level: all of one level at the same time, the next level when it is gone. */
  levels: string[][]
  /** Namespaces to delete at the end, besides Flux's own. */
  namespaces: string[]
  /** Namespaces that the platform brought and that stay, for the sake of the data in them. */
  kept: string[]
  /** Namespaces that the platform uses and that were there before it. */
  neighbours: string[]
  /** Definitions that were there before the platform and that its charts bring as well. */
  neighbourDefinitions: string[]
  /** Definitions that charts brought and Helm leaves behind. */
  definitions: string[]
  /** Volume claims whose data is lost. */
  claims: ClaimObject[]
  /** Certificates of the production authority that are lost: Let's Encrypt issues five of the same names a week. */
  certificates: string[]
  /** Everything that must be gone at the end. */
  proof: Item[]
}

/** @returns names of layers that a layer needs: its own dependencies, and the layers of releases that its releases depend on. */
function neededBy(layer: KustomizationObject, releases: HelmReleaseObject[]): string[] {
  const own = releases.filter(release => layerOf(release) === layer.metadata.name)
  const wanted = new Set(own.flatMap(release => (release.spec?.dependsOn ?? []).map(dependency => dependency.name)))
  const layers = releases.filter(release => wanted.has(release.metadata.name)).map(layerOf)
  return [...(layer.spec?.dependsOn ?? []).map(dependency => dependency.name), ...layers.filter(name => name !== layer.metadata.name)]
}

/**
 * @param releases an operator must outlive the objects that it alone can finalize, whichever layer it is in
 * @returns layers in reverse dependency order: those that nothing depends on first.
 */
export function removalLevels(layers: KustomizationObject[], releases: HelmReleaseObject[]): string[][] {
  const levels: string[][] = []
  let rest = layers
  while (rest.length > 0) {
    const needed = new Set(rest.flatMap(layer => neededBy(layer, releases)))
    const free = rest.filter(layer => !needed.has(layer.metadata.name))
    const level = free.length > 0 ? free : rest
    levels.push(level.map(layer => layer.metadata.name).sort())
    rest = rest.filter(layer => !level.includes(layer))
  }
  return levels
}

const isNeighbour = (item: Item, neighbours: Neighbours): boolean =>
  (item.kind === 'Namespace' && neighbours.namespaces.includes(item.name)) || (item.kind === 'CustomResourceDefinition' && neighbours.definitions.includes(item.name))

/**
 * @param options.root name of the root layer
 * @param options.keepData volumes, with their namespaces, and what an earlier teardown kept, stay
 */
export function planTeardown(snapshot: Snapshot, items: Item[], options: { root: string, neighbours: Neighbours, claims: ClaimObject[], keepData: boolean }): TeardownPlan {
  const ours = items.filter(item => !isNeighbour(item, options.neighbours))
  const namesOf = (kind: string) => ours.filter(item => item.kind === kind).map(item => item.name)
  const platformNamespaces = namesOf('Namespace').filter(name => name !== FLUX_NAMESPACE)
  const claims = options.claims.filter(claim => platformNamespaces.includes(claim.metadata.namespace ?? ''))
  const kept = new Set(options.keepData ? [...claims.map(claim => claim.metadata.namespace ?? ''), ...platformNamespaces.filter(name => name === KEPT_NAMESPACE)] : [])
  return {
    levels: removalLevels(snapshot.kustomizations.filter(layer => layer.metadata.name !== options.root), snapshot.releases),
    namespaces: platformNamespaces.filter(name => !kept.has(name)),
    kept: [...kept],
    neighbourDefinitions: items.filter(item => item.kind === 'CustomResourceDefinition' && options.neighbours.definitions.includes(item.name)).map(item => item.name),
    neighbours: items.filter(item => item.kind === 'Namespace' && options.neighbours.namespaces.includes(item.name)).map(item => item.name),
    definitions: ours.filter(item => item.kind === 'CustomResourceDefinition' && item.from !== 'Flux').map(item => item.name),
    claims,
    certificates: snapshot.certificates.filter(one => one.spec?.issuerRef.name === 'letsencrypt-prod').map(one => `${one.metadata.namespace}/${one.metadata.name}`),
    proof: ours.filter(item => !(item.kind === 'Namespace' && kept.has(item.name))),
  }
}

const sizeOf = (claim: ClaimObject): string => claim.spec?.resources?.requests?.storage ?? ''

/** @returns the plan as lines for a person to read before saying yes. */
export function describeTeardown(plan: TeardownPlan, snapshot: Snapshot, options: { keepData: boolean }): string[] {
  const lines = plan.levels.map((level, index) => `${index + 1}. ${level.map(name => `Kustomization/${FLUX_NAMESPACE}/${name}`).join(', ')}`)
  const ready = snapshot.kustomizations.filter(layer => isAppliedAt(layer, undefined)).length
  const fate = options.keepData ? 'kept' : 'lost'
  return [
    `${plan.proof.length} objects, ${snapshot.releases.length} Helm releases, ${plan.namespaces.length + 1} namespaces (${[...plan.namespaces, FLUX_NAMESPACE].join(', ')}); ${ready} of ${snapshot.kustomizations.length} layers are Ready`,
    ...lines,
    `${lines.length + 1}. namespaces, ${plan.definitions.length} definitions of charts, Flux`,
    ...plan.neighbours.map(name => `left alone: Namespace/${name} was there before the platform`),
    ...plan.claims.map(claim => `data ${fate}: PersistentVolumeClaim/${claim.metadata.namespace}/${claim.metadata.name} ${sizeOf(claim)}`),
    ...plan.certificates.map(name => `production certificate ${fate}: Certificate/${name}${options.keepData ? '' : ' (five of the same names a week; KEEP_DATA=1 keeps it)'}`),
  ]
}
