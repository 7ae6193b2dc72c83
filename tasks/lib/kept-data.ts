/**
 * What KEEP_DATA=1 saves from a teardown, in one namespace: production certificates, so that a rebuild does not spend Let's Encrypt's weekly
 * budget of duplicates, and the source Secret, without whose passwords the kept volumes could not be opened.
 */
import { type Api, get, list, remove } from './api.ts'
import { applyAll } from './apply.ts'
import { sourceSecret } from './input-report.ts'
import { type KubeObject, refOf } from './objects.ts'
import { type Resource, Namespace, Secret } from './resources.ts'
import type { Snapshot } from './snapshot.ts'

export const KEPT_NAMESPACE = 'homelab-kept'
const KEPT_FROM = 'homelab/kept-from'

type SecretObject = KubeObject & { data?: Record<string, string>, type?: string }

const namespaceOf = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

function copyOf(secret: SecretObject, namespace: string, name: string, annotations: Record<string, string>): SecretObject {
  const { labels = {} } = secret.metadata
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace, labels, annotations }, ...(secret.type ? { type: secret.type } : {}), data: secret.data ?? {} }
}

/** @returns the Secrets worth keeping: those of production certificates, and the source Secret. */
export function secretsToKeep(snapshot: Snapshot): { namespace: string, name: string }[] {
  const production = snapshot.certificates.filter(certificate => certificate.spec?.issuerRef.name === 'letsencrypt-prod')
  return [sourceSecret, ...production.map(one => ({ namespace: one.metadata.namespace ?? '', name: one.spec?.secretName ?? '' }))]
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

/** @returns the kept Secrets as they shall stand again, with their namespaces; none when nothing was kept. */
export async function keptObjects(api: Api): Promise<KubeObject[]> {
  const kept = await list<SecretObject>(api, Secret, { namespace: KEPT_NAMESPACE })
  const objects = kept.items.flatMap(secret => {
    const { [KEPT_FROM]: origin, ...annotations } = secret.metadata.annotations ?? {}
    const [namespace, name] = origin?.split('/') ?? []
    if (namespace === undefined || name === undefined) return []
    return [namespaceOf(namespace), copyOf(secret, namespace, name, annotations)]
  })
  return [...new Map(objects.map(object => [refOf(object), object])).values()].filter(object => refOf(object) !== `Namespace/${sourceSecret.namespace}`)
}

/** @returns the runtime inputs among kept objects, decoded. */
export function keptInputs(objects: KubeObject[]): Record<string, string> | undefined {
  const secret = objects.find((object): object is SecretObject => refOf(object) === `Secret/${sourceSecret.namespace}/${sourceSecret.name}`)
  return secret && Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}

/** Removes the namespace of kept things: what was in it stands again. */
export async function forgetKept(api: Api): Promise<void> {
  await remove(api, Namespace as Resource, { name: KEPT_NAMESPACE })
}
