/** Renders Flux Kustomizations as kustomize-controller does: their path at the commit they have, their patches, variables and labels. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Api, get } from './api.ts'
import { parseManifests } from './apply.ts'
import { TaskError, messageOf } from './errors.ts'
import { exportCommit } from './git.ts'
import { type KubectlAccess, buildOverlay } from './kubectl.ts'
import { type KubeObject, decodeData } from './objects.ts'
import { ConfigMap, Secret } from './resources.ts'
import type { KustomizationObject } from './snapshot.ts'
import { substituteObjects } from './substitute.ts'
import { onTaskEnd } from './task.ts'

/** What a layer shall have in the cluster, or why that cannot be known here. */
export type Rendered = { objects: KubeObject[] } | { unknown: string }

/** Fields of a Flux Kustomization that change what it renders and that no layer of the platform uses. */
const unsupported = ['commonMetadata', 'components', 'decryption', 'images', 'kubeConfig', 'namePrefix', 'nameSuffix', 'targetNamespace']

type DataObject = KubeObject & { data?: Record<string, string> }

async function readVariables(api: Api, layer: KustomizationObject, from: { kind: string, name: string, optional?: boolean }): Promise<Record<string, string>> {
  const resource = from.kind === 'Secret' ? Secret : ConfigMap
  const source = await get<DataObject>(api, resource, { namespace: layer.metadata.namespace ?? '', name: from.name })
  if (source === undefined && from.optional !== true) throw new Error(`${from.kind}/${layer.metadata.namespace}/${from.name}, from which it substitutes, is gone`)
  return from.kind === 'Secret' ? decodeData(source?.data) : source?.data ?? {}
}

/** @returns a layer's variables, later sources over earlier ones; Flux takes line breaks out of each. */
async function variablesOf(api: Api, layer: KustomizationObject): Promise<Record<string, string> | undefined> {
  const postBuild = layer.spec?.postBuild
  if (postBuild === undefined) return undefined
  const sources = await Promise.all((postBuild.substituteFrom ?? []).map(from => readVariables(api, layer, from)))
  const all: Record<string, string> = Object.assign({}, ...sources, postBuild.substitute ?? {})
  return Object.fromEntries(Object.entries(all).map(([key, value]) => [key, value.replaceAll('\n', '')]))
}

const OWNER = /^ {4}kustomize\.toolkit\.fluxcd\.io\/name: ["']?([^"'\n]+)["']?$/m

/** kustomize-controller adds a layer's patches and labels to its kustomization.yaml; here they are around it. @returns the folder */
async function wrap(layer: KustomizationObject, tree: string): Promise<string> {
  const { name, namespace = '' } = layer.metadata
  const around = path.join(tree, `.layer-${name}`)
  await mkdir(around, { recursive: true })
  const pairs = { 'kustomize.toolkit.fluxcd.io/name': name, 'kustomize.toolkit.fluxcd.io/namespace': namespace }
  const inside = path.relative(around, path.resolve(tree, layer.spec?.path ?? '.'))
  await writeFile(path.join(around, 'kustomization.yaml'), JSON.stringify({ resources: [inside], patches: layer.spec?.patches ?? [], labels: [{ pairs }] }))
  return around
}

/** Kustomize's start is most of its time, so one builds all layers. @returns their texts by name */
async function buildTogether(kubectl: KubectlAccess, layers: KustomizationObject[], tree: string): Promise<Map<string, string>> {
  const folders = await Promise.all(layers.map(layer => wrap(layer, tree)))
  const together = path.join(tree, '.layers')
  await mkdir(together)
  await writeFile(path.join(together, 'kustomization.yaml'), JSON.stringify({ resources: folders.map(folder => path.relative(together, folder)) }))
  const texts = new Map(layers.map(layer => [layer.metadata.name, '']))
  for (const text of (await buildOverlay(kubectl, together)).split(/^---$/m)) {
    const name = OWNER.exec(text)?.[1] ?? ''
    texts.set(name, [texts.get(name), text].filter(Boolean).join('---'))
  }
  return texts
}

/** Flux sends a Secret's stringData as data. */
function asApplied(object: KubeObject): KubeObject {
  const { stringData, ...rest } = object as DataObject & { stringData?: Record<string, unknown> }
  if (stringData === undefined) return object
  const encoded = Object.fromEntries(Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]))
  const applied: DataObject = { ...rest, data: { ...rest.data, ...encoded } }
  return applied
}

async function renderLayer(api: Api, layer: KustomizationObject, build: (layer: KustomizationObject) => Promise<string>): Promise<Rendered> {
  const strange = unsupported.filter(field => field in (layer.spec ?? {}))
  if (strange.length > 0) return { unknown: `spec.${strange.join(', spec.')} is not understood here` }
  try {
    const [text, variables] = await Promise.all([build(layer), variablesOf(api, layer)])
    return { objects: parseManifests(variables === undefined ? text : substituteObjects(text, variables)).map(asApplied) }
  } catch (error) {
    return { unknown: error instanceof TaskError ? error.details.why ?? error.message : messageOf(error) }
  }
}

/** Renders the layers that have one commit. */
async function renderCommit(api: Api, kubectl: KubectlAccess, layers: KustomizationObject[], tree: string): Promise<[KustomizationObject, Rendered][]> {
  // where one is broken, each is built alone, so that the others are known
  const together = await buildTogether(kubectl, layers, tree).catch((error: unknown) => {
    if (!(error instanceof TaskError)) throw error
  })
  const build = async (layer: KustomizationObject) => together?.get(layer.metadata.name) ?? buildOverlay(kubectl, await wrap(layer, tree))
  return Promise.all(layers.map(async layer => [layer, await renderLayer(api, layer, build)] as [KustomizationObject, Rendered]))
}

/**
 * Writes the commits that layers have into a private folder, which goes again; it holds what Git has, and never a value of a Secret.
 * @returns by layer what it shall have; a commit that is not in this clone leaves it unknown
 */
export async function renderLayers(api: Api, kubectl: KubectlAccess, layers: KustomizationObject[]): Promise<[KustomizationObject, Rendered][]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'homelab-render-'))
  const forget = onTaskEnd(() => rm(folder, { recursive: true, force: true }))
  const commitOf = (layer: KustomizationObject): string => layer.status?.lastAppliedRevision?.split(':').at(-1) ?? ''
  const render = async (commit: string): Promise<[KustomizationObject, Rendered][]> => {
    const mine = layers.filter(layer => commitOf(layer) === commit)
    const unknown = (words: string) => mine.map((layer): [KustomizationObject, Rendered] => [layer, { unknown: words }])
    if (commit === '') return unknown('it was never applied')
    const tree = path.join(folder, commit)
    return await exportCommit(commit, tree) ? renderCommit(api, kubectl, mine, tree) : unknown(`the commit ${commit.slice(0, 12)} is not in this clone (git fetch)`)
  }
  try {
    return (await Promise.all([...new Set(layers.map(commitOf))].map(render))).flat()
  } finally {
    forget()
    await rm(folder, { recursive: true, force: true })
  }
}
