/** Draws the platform as rows: layer → release → pod, each with its state and the controllers' own words. */
import { type Finding, certificateFinding, pendingParts, releasePods } from './causes.ts'
import { type State, inventoryOf, isAppliedAt, isRolledOut, judgeGitRepository, judgeKustomization } from './flux-state.ts'
import { type KubeObject, refOf } from './objects.ts'
import type { Marks } from './marks.ts'
import { type HelmReleaseObject, type KustomizationObject, type Snapshot, layerOf } from './snapshot.ts'

/** Namespace of all Flux objects of the platform. */
export const FLUX_NAMESPACE = 'flux-system'
/** Name of the source Secret of all runtime inputs, in flux-system. */
export const INPUTS_SECRET = 'platform-runtime-inputs'

export interface Row {
  /** 0 for sources and layers, 1 for their parts, 2 for pods. */
  depth: number
  label: string
  state: State | 'blocked'
  words: string
}

/** What a task wants the platform to become. */
export interface Goal {
  /** The revision every layer shall have, e.g. `main@sha1:…`; any when undefined. */
  revision: string | undefined
  /** Layers that cannot become Ready now, with the reason: names of Flux Kustomizations. */
  blocked: Map<string, string>
  /** How everything was when the task began; verdicts of before do not count. */
  marks?: Marks
  /** True where every layer has to be reconciled anew, whatever it has. */
  anew?: boolean
}

/**
 * @param missingInputs keys that the source Secret lacks
 * @returns the layers that cannot become Ready without them: those that substitute from the source Secret, and what depends on those
 */
export function blockedLayers(kustomizations: KustomizationObject[], missingInputs: string[]): Map<string, string> {
  const blocked = new Map<string, string>()
  if (missingInputs.length === 0) return blocked
  for (const layer of inChainOrder(kustomizations)) {
    const { name } = layer.metadata
    const dependency = layer.spec?.dependsOn?.find(one => blocked.has(one.name))
    if (layer.spec?.postBuild?.substituteFrom?.some(from => from.kind === 'Secret' && from.name === INPUTS_SECRET)) blocked.set(name, `needs ${missingInputs.join(', ')}`)
    else if (dependency) blocked.set(name, `waits for ${dependency.name}`)
  }
  return blocked
}

const row = (object: KubeObject, depth: number, judged: { state: Row['state'], words: string }): Row => ({ depth, label: refOf(object), ...judged })

/** Orders layers so that each comes after what it depends on; the root, which all others come from, first. */
export function inChainOrder(kustomizations: KustomizationObject[]): KustomizationObject[] {
  const byName = new Map(kustomizations.map(one => [one.metadata.name, one]))
  const levels = new Map<string, number>()
  const level = (one: KustomizationObject, seen: string[] = []): number => {
    const known = levels.get(one.metadata.name)
    if (known !== undefined) return known
    const dependencies = (one.spec?.dependsOn ?? []).filter(({ name }) => !seen.includes(name)).map(({ name }) => byName.get(name))
    const found = Math.max(0, ...dependencies.map(dependency => dependency ? level(dependency, [...seen, one.metadata.name]) + 1 : 1))
    levels.set(one.metadata.name, found)
    return found
  }
  const isRoot = (one: KustomizationObject) => layerOf(one) === '' ? 0 : 1
  return [...kustomizations].sort((a, b) => isRoot(a) - isRoot(b) || level(a) - level(b) || a.metadata.name.localeCompare(b.metadata.name))
}

// A layer that is Ready is one line; one that is not shows its releases, the finished ones too.
function partsToShow(layer: KustomizationObject, snapshot: Snapshot): Finding[] {
  const pending = pendingParts(layer, snapshot).filter(part => part.object.kind !== 'Certificate' && part.object.kind !== 'Order' && part.object.kind !== 'Challenge')
  if (pending.length === 0) return []
  const names = new Set(inventoryOf(layer).filter(entry => entry.kind === 'HelmRelease').map(entry => entry.name))
  const finished = snapshot.releases.filter(release => names.has(release.metadata.name) && !pending.some(part => part.object.metadata.name === release.metadata.name))
  return [...finished.map((object): Finding => ({ object, state: 'ready', words: '' })), ...pending]
}

function layerRows(layer: KustomizationObject, snapshot: Snapshot, goal: Goal): Row[] {
  const reason = goal.blocked.get(layer.metadata.name)
  if (reason !== undefined && !isAppliedAt(layer, goal.revision)) return [row(layer, 0, { state: 'blocked', words: reason })]
  const judged = judgeKustomization(layer, goal.revision)
  const parts = partsToShow(layer, snapshot)
  const below = parts.flatMap(part => [
    row(part.object, 1, part),
    ...(part.object.kind === 'HelmRelease' ? releasePods(part.object as HelmReleaseObject, snapshot).map(pod => row(pod.object, 2, pod)) : []),
  ])
  return [row(layer, 0, judged), ...below]
}

/** @returns all rows of the display; a part that is Ready is not shown, its layer is. */
export function platformRows(snapshot: Snapshot, goal: Goal): Row[] {
  const controllers = snapshot.deployments.filter(one => one.metadata.namespace === FLUX_NAMESPACE && !isRolledOut(one))
    .map(one => row(one, 0, { state: 'working', words: `${one.status?.availableReplicas ?? 0}/${one.spec?.replicas ?? 1} available` }))
  const sources = snapshot.gitRepositories.map(source => row(source, 0, judgeGitRepository(source, goal.revision)))
  return [...controllers, ...sources, ...inChainOrder(snapshot.kustomizations).flatMap(layer => layerRows(layer, snapshot, goal))]
}

/** @returns certificates that are not issued yet, in the words of their orders and challenges. */
export function pendingCertificates(snapshot: Snapshot): Row[] {
  return snapshot.certificates.map(certificate => certificateFinding(certificate, snapshot)).filter(finding => finding.state !== 'ready').map(finding => row(finding.object, 1, finding))
}
