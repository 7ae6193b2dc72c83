/** Which definitions have objects of somebody else: deleting those would delete what the platform did not create. */
import { type Api, list } from './api.ts'
import type { KubeObject } from './objects.ts'
import { inParallel } from './removal.ts'
import { CustomResourceDefinition } from './resources.ts'

type Definition = KubeObject<{ group: string, names: { plural: string, kind: string }, versions: { name: string, storage: boolean }[] }>

async function objectsOf(api: Api, { spec }: Definition): Promise<KubeObject[]> {
  const version = spec?.versions.find(candidate => candidate.storage)?.name ?? ''
  const resource = { kind: spec?.names.kind ?? '', apiVersion: `${spec?.group}/${version}`, plural: spec?.names.plural ?? '', namespaced: true }
  return (await list(api, resource)).items.filter(object => object.metadata.deletionTimestamp === undefined)
}

/** Drops objects whose owners, of these very kinds, are gone: the garbage collector has not come to them yet. */
export function withoutGarbage(objects: KubeObject[]): KubeObject[] {
  const kinds = new Set(objects.map(object => object.kind))
  const uids = new Set(objects.map(object => object.metadata.uid))
  const isGarbage = (object: KubeObject) => (object.metadata.ownerReferences ?? []).some(owner => !uids.has(owner.uid) && (kinds.has(owner.kind) || owned.has(owner.kind)))
  const rest = objects.filter(object => !isGarbage(object))
  return rest.length === objects.length ? rest : withoutGarbage(rest)
}

// cert-manager's chain of owners: the last Certificate may be gone while its requests are still listed
const owned = new Set(['Certificate', 'CertificateRequest', 'Order'])

/** @param names of definitions. @returns those with objects of others, and how many. */
export async function definitionsInUse(api: Api, names: string[]): Promise<Map<string, number>> {
  const definitions = (await list<Definition>(api, CustomResourceDefinition)).items.filter(one => names.includes(one.metadata.name))
  const objects = await inParallel(definitions, one => objectsOf(api, one))
  const living = new Set(withoutGarbage(objects.flat()))
  const counts = definitions.map((one, index) => [one.metadata.name, (objects[index] ?? []).filter(object => living.has(object)).length] as const)
  return new Map(counts.filter(([, count]) => count > 0))
}
