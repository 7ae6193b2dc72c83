/** The chain of Flux Kustomizations as the cluster would see it, each layer built, patched and substituted. */
import { derivedInputs, valueInputs } from '../../tasks/lib/inputs.ts'
import { build, buildInline } from './support-kustomize.ts'
import { type Manifest, at, listAt, parseManifests } from './support-manifests.ts'
import { substitute } from '../../tasks/lib/substitute.ts'

export type Cluster = 'home' | 'rehearsal'

/** Stands for the pinned release's install.yaml, which no test fetches. */
export const INSTALL_FIXTURE = 'test/contract/fixtures/flux-install.yaml'

const isFluxKustomization = (one: Manifest): boolean => one.apiVersion.startsWith('kustomize.toolkit.fluxcd.io/') && one.kind === 'Kustomization'

/** @returns what `make install` applies first, with the fixture in place of the release's own manifest. */
export async function entrypoint(): Promise<Manifest[]> {
  const resources = [INSTALL_FIXTURE, 'clusters/home/platform-settings.yaml']
  return parseManifests(await buildInline({ resources, components: ['clusters/home/flux-system/sync'] }))
}

/** @returns the Flux Kustomizations that the root hands out. */
export async function layersOf(cluster: Cluster): Promise<Manifest[]> {
  return (await build(`clusters/${cluster}`)).filter(isFluxKustomization)
}

/** @returns the root alone. */
export async function root(): Promise<Manifest> {
  const found = (await entrypoint()).find(isFluxKustomization)
  if (found === undefined) throw new Error('the entrypoint has no root')
  return found
}

/** The source Secret as `make secrets-sync` writes it; digits only, where a value may be so, to show a lost quote. */
export const sourceSecret: Manifest = {
  apiVersion: 'v1', kind: 'Secret',
  metadata: { name: 'platform-runtime-inputs', namespace: 'flux-system', labels: { 'reconcile.fluxcd.io/watch': 'Enabled' } },
  data: Object.fromEntries([
    ...valueInputs.map(input => [input.key, input.fault('12345678901234567890123456789012') === undefined ? '12345678901234567890123456789012' : input.generate()]),
    ...derivedInputs.map(input => [input.key, `sha-${input.consumer}`]),
  ]),
}

/** @returns a layer's text after build and patches, before substitution. */
export function renderText(layer: Manifest): Promise<string> {
  return buildInline({ resources: [String(at(layer, 'spec.path'))], patches: listAt(layer, 'spec.patches') })
}

export interface VariableSource { kind: string, name: string }

/** @returns the sources of a layer's variables, in order. */
export const sourcesOf = (layer: Manifest): VariableSource[] => listAt<VariableSource>(layer, 'spec.postBuild.substituteFrom')

/** @returns the variables of a layer. @throws when a source does not exist */
export function variablesOf(layer: Manifest, known: Manifest[]): Record<string, string> {
  const found = sourcesOf(layer).map(({ kind, name }) => {
    const source = known.find(one => one.kind === kind && one.metadata.name === name && one.metadata.namespace === layer.metadata.namespace)
    if (source === undefined) throw new Error(`${layer.metadata.name} substitutes from ${kind}/${name}, which nothing creates`)
    return source.data as Record<string, string>
  })
  return Object.assign({}, ...found, at(layer, 'spec.postBuild.substitute') ?? {}) as Record<string, string>
}

export interface Platform { layers: Manifest[], objects: Map<string, Manifest[]> }

async function render(layer: Manifest, known: Manifest[]): Promise<Manifest[]> {
  const text = await renderText(layer)
  return parseManifests(at(layer, 'spec.postBuild') === undefined ? text : substitute(text, variablesOf(layer, known)))
}

const rendered = new Map<Cluster, Promise<Platform>>()

async function renderPlatform(cluster: Cluster): Promise<Platform> {
  const own = await build(`clusters/${cluster}`)
  const layers = await layersOf(cluster)
  const objects = new Map([['home', own]])
  const known = [...own, sourceSecret]
  // runtime-inputs first: it creates what platform-services substitutes from
  for (const layer of [...layers].sort((a, b) => Number(b.metadata.name === 'runtime-inputs') - Number(a.metadata.name === 'runtime-inputs'))) {
    const mine = await render(layer, known)
    known.push(...mine)
    objects.set(layer.metadata.name, mine)
  }
  return { layers, objects }
}

/** Every layer of a cluster, rendered once per test file. */
export function platformOf(cluster: Cluster): Promise<Platform> {
  const known = rendered.get(cluster) ?? renderPlatform(cluster)
  rendered.set(cluster, known)
  return known
}

/** @returns all objects of all layers, the root's own included. */
export const allObjects = (platform: Platform): Manifest[] => [...platform.objects.values()].flat()
