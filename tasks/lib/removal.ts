/** Waits until objects are gone, showing those that are not with what the cluster says about them. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Api, get, isUnreachable } from './api.ts'
import { makeResourceFinder } from './apply.ts'
import { conditionOf, type KubeObject, refOf } from './objects.ts'
import { openDisplay } from './live-tree.ts'
import { type Item, keyOf, keyOfObject } from './inventory.ts'
import type { Row } from './platform-tree.ts'

const POLL_MS = 400
const PARALLEL = 24

/** Runs `action` over all items, at most 24 at a time. */
export async function inParallel<T, R>(items: readonly T[], action: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let index = 0
  const worker = async () => {
    while (index < items.length) {
      const at = index++
      results[at] = await action(items[at] as T)
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker))
  return results
}

/** @returns those items that still exist, as objects. A kind that is no longer served has no objects. */
export async function findExisting(api: Api, items: Item[]): Promise<KubeObject[]> {
  const find = makeResourceFinder(api)
  const found = await inParallel(items, async item => {
    const resource = await find(item)
    return resource && get<KubeObject>(api, resource, { ...(item.namespace ? { namespace: item.namespace } : {}), name: item.name })
  })
  return found.filter(object => object !== undefined)
}

/** @returns why an object is still there: its finalizers, its owner, its controller's words. */
export function holdWords(object: KubeObject): string {
  const { deletionTimestamp, finalizers = [], ownerReferences = [] } = object.metadata
  const owner = ownerReferences.length > 0 ? ` · owned by ${ownerReferences.map(one => `${one.kind}/${one.name}`).join(', ')}` : ''
  const content = ['NamespaceContentRemaining', 'NamespaceFinalizersRemaining', 'NamespaceDeletionDiscoveryFailure', 'NamespaceDeletionContentFailure']
    .map(type => conditionOf(object, type)).filter(condition => condition?.status === 'True').map(condition => condition?.message)
  if (content.length > 0) return `is Terminating: ${content.join('; ')}${owner}`
  if (deletionTimestamp === undefined) return `is still there and nobody deletes it${owner}`
  const ready = conditionOf(object, 'Ready')
  const words = object.apiVersion.includes('.fluxcd.io/') && ready?.status === 'False' ? `: ${ready.message ?? ''}` : ''
  return finalizers.length > 0 ? `is being deleted, held by finalizer ${finalizers.join(', ')}${owner}${words}` : `is being deleted${owner}${words}`
}

/**
 * Waits until all items are gone, showing those that are left.
 * @param options.deadline milliseconds; options.title what the display calls the step
 * @returns what is still there at the deadline
 */
export async function waitGone(api: Api, items: Item[], options: { deadline: number, title: string }): Promise<KubeObject[]> {
  // not the wall clock, which may jump
  const end = performance.now() + options.deadline
  const display = openDisplay()
  let left = items
  try {
    for (;;) {
      const objects = await findWhenReachable(api, left, end)
      const there = new Set(objects.map(keyOfObject))
      left = items.filter(item => there.has(keyOf(item)))
      const rows = objects.map((object): Row => ({ depth: 1, label: refOf(object), state: 'working', words: holdWords(object) }))
      display.update([{ depth: 0, label: options.title, state: rows.length === 0 ? 'ready' : 'working', words: rows.length === 0 ? '' : `${rows.length} left` }, ...rows.slice(0, 12)])
      if (objects.length === 0) return []
      if (performance.now() > end) return objects
      await pause(POLL_MS)
    }
  } finally {
    display.stop()
  }
}

async function findWhenReachable(api: Api, items: Item[], end: number): Promise<KubeObject[]> {
  for (;;) {
    try {
      return await findExisting(api, items)
    } catch (error) {
      if (!isUnreachable(error) || performance.now() > end) throw error
      await pause(POLL_MS)
    }
  }
}
