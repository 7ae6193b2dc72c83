/** ACME objects of certificates that were removed: they go by garbage collection, and cert-manager must live to let go of their finalizers. */
import { type Api, list } from './api.ts'
import type { Item } from './inventory.ts'
import { Challenge, Order } from './resources.ts'

/** @param namespaces those of the removed certificates. @returns orders and challenges there that are being deleted. */
export async function dyingAcme(api: Api, namespaces: Set<string>): Promise<Item[]> {
  const found = (await Promise.all([Order, Challenge].map(kind => list(api, kind)))).flatMap(kind => kind.items)
  const dying = found.filter(({ metadata }) => namespaces.has(metadata.namespace ?? '') && metadata.deletionTimestamp !== undefined)
  return dying.map(({ apiVersion, kind, metadata: { name, namespace } }): Item => ({ apiVersion, kind, ...(namespace ? { namespace } : {}), name, from: 'cert-manager-acme' }))
}
