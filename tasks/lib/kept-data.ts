/**
 * What KEEP_DATA=1 saves from a teardown: volumes, with the namespaces they are in; and in a namespace of its own production certificates, so
 * that a rebuild does not spend Let's Encrypt's weekly budget of duplicates, and the source Secret, whose passwords open the volumes.
 */
import { type Api, get, list, patch, remove } from './api.ts'
import { applyAll } from './apply.ts'
import { sourceSecret } from './input-report.ts'
import { type KubeObject, decodeData, refOf } from './objects.ts'
import { Namespace, Secret } from './resources.ts'
import type { Snapshot } from './snapshot.ts'

export const KEPT_NAMESPACE = 'homelab-kept'
/** On every namespace that stays for its data's sake: how a later teardown without KEEP_DATA finds it. */
export const KEPT_LABEL = 'homelab/kept'
const KEPT_FROM = 'homelab/kept-from'

type SecretObject = KubeObject & { data?: Record<string, string>, type?: string }

const namespaceOf = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { [KEPT_LABEL]: 'true' } } })

/** Marks a namespace as kept, or takes the mark back. */
const markKept = (api: Api, name: string, value: 'true' | null): Promise<void> => patch(api, Namespace, { name, body: { metadata: { labels: { [KEPT_LABEL]: value } } } })

function copyOf(secret: SecretObject, namespace: string, name: string, annotations: Record<string, string>): SecretObject {
  const { labels = {} } = secret.metadata
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels, annotations }, ...(secret.type ? { type: secret.type } : {}), data: secret.data ?? {} }
}

/** @returns the Secrets worth keeping: those of production certificates, and the source Secret. */
export function secretsToKeep(snapshot: Snapshot): { namespace: string, name: string }[] {
  const production = snapshot.certificates.filter(certificate => certificate.spec?.issuerRef.name === 'letsencrypt-prod')
  return [sourceSecret, ...production.map(one => ({ namespace: one.metadata.namespace ?? '', name: one.spec?.secretName ?? '' }))]
}

/** Marks the namespaces of kept volumes. */
export async function keepNamespaces(api: Api, names: string[]): Promise<void> {
  await Promise.all(names.map(name => markKept(api, name, 'true')))
}

/** Copies Secrets into the namespace of kept things. @returns how many there were */
export async function keepSecrets(api: Api, secrets: { namespace: string, name: string }[]): Promise<number> {
  const found = await Promise.all(secrets.map(secret => get<SecretObject>(api, Secret, secret)))
  const copies = found.flatMap(secret => {
    if (secret === undefined) return []
    const { namespace = '', name, annotations = {} } = secret.metadata
    return [copyOf(secret, KEPT_NAMESPACE, `${namespace}.${name}`, { ...annotations, [KEPT_FROM]: `${namespace}/${name}` })]
  })
  await applyAll(api, [namespaceOf(KEPT_NAMESPACE), ...copies])
  return copies.length
}

/** @returns the kept Secrets as they shall stand again, with those of their namespaces that are gone; none when nothing was kept. */
export async function keptObjects(api: Api): Promise<KubeObject[]> {
  const [kept, namespaces] = await Promise.all([list<SecretObject>(api, Secret, { namespace: KEPT_NAMESPACE }), list(api, Namespace)])
  // Flux's own comes with Flux
  const there = new Set([sourceSecret.namespace, ...namespaces.items.map(one => one.metadata.name)])
  const secrets = kept.items.flatMap(secret => {
    const { [KEPT_FROM]: origin, ...annotations } = secret.metadata.annotations ?? {}
    const [namespace, name] = origin?.split('/') ?? []
    return namespace === undefined || name === undefined ? [] : [copyOf(secret, namespace, name, annotations)]
  })
  const wanted = new Set(secrets.map(secret => secret.metadata.namespace ?? '').filter(name => !there.has(name)))
  return [...[...wanted].map(namespaceOf), ...secrets]
}

/** @returns the runtime inputs among kept objects, decoded. */
export function keptInputs(objects: KubeObject[]): Record<string, string> | undefined {
  const secret = objects.find((object): object is SecretObject => refOf(object) === `Secret/${sourceSecret.namespace}/${sourceSecret.name}`)
  return secret && decodeData(secret.data)
}

/** Removes the namespace of kept things, and the marks: what was kept stands again. */
export async function forgetKept(api: Api): Promise<void> {
  const marked = await list(api, Namespace, { query: `labelSelector=${encodeURIComponent(KEPT_LABEL)}` })
  await Promise.all(marked.items.filter(one => one.metadata.name !== KEPT_NAMESPACE).map(one => markKept(api, one.metadata.name, null)))
  await remove(api, Namespace, { name: KEPT_NAMESPACE })
}
