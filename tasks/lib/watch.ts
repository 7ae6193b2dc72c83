/** Watches: a copy of all objects of a kind, kept by one list and one stream, that survives a restart of the API server. */
import type http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { type Api, ApiError, errorFrom, open, readAll, request } from './api.ts'
import type { KubeList, KubeObject } from './objects.ts'
import { type Resource, pathOf } from './resources.ts'

export interface Watched<T extends KubeObject> {
  /** Objects by `namespace/name`. */
  objects: Map<string, T>
  /** False until the first list has been read, and again while the API server cannot be reached. */
  synced: boolean
}

const keyOf = (object: KubeObject) => `${object.metadata.namespace ?? ''}/${object.metadata.name}`
const RETRY_MS = 300

async function readEvents(response: http.IncomingMessage, onLine: (line: string) => void): Promise<void> {
  response.setEncoding('utf8')
  let rest = ''
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onLine(line)
  }
}

/** Bookkeeping of field managers is half of an object, and nobody reads it here. */
function light<T extends KubeObject>(object: T): T {
  delete (object.metadata as { managedFields?: unknown }).managedFields
  return object
}

async function follow<T extends KubeObject>(api: Api, resource: Resource, watched: Watched<T>, onChange: () => void, signal: AbortSignal): Promise<void> {
  const first = await request<KubeList<T>>(api, 'GET', pathOf(resource), { signal })
  watched.objects.clear()
  for (const item of first.items) watched.objects.set(keyOf(item), Object.assign(light(item), { kind: resource.kind, apiVersion: resource.apiVersion }))
  watched.synced = true
  onChange()
  const query = `?watch=1&allowWatchBookmarks=true&resourceVersion=${first.metadata?.resourceVersion ?? ''}`
  const response = await open(api, 'GET', pathOf(resource) + query, { signal })
  if ((response.statusCode ?? 0) >= 400) throw errorFrom(response.statusCode ?? 0, await readAll(response))
  await readEvents(response, line => {
    const event = JSON.parse(line) as { type: string, object: T }
    if (event.type === 'BOOKMARK') return
    if (event.type === 'ERROR') return void response.destroy()
    if (event.type === 'DELETED') watched.objects.delete(keyOf(event.object))
    else watched.objects.set(keyOf(event.object), light(event.object))
    onChange()
  })
}

/**
 * Keeps a copy of all objects of a kind by one list and one watch stream, listing again after any break. A kind that does not exist yet has
 * no objects and is looked for again every 300 ms.
 * @param onChange called after every change of the copy or of `synced`
 */
export function watch<T extends KubeObject>(api: Api, resource: Resource, options: { signal: AbortSignal, onChange: () => void }): Watched<T> {
  const watched: Watched<T> = { objects: new Map(), synced: false }
  const loop = async () => {
    while (!options.signal.aborted) {
      try {
        await follow(api, resource, watched, options.onChange, options.signal)
      } catch (error) {
        if (options.signal.aborted) return
        const missing = error instanceof ApiError && error.status === 404
        if (missing) watched.objects.clear()
        watched.synced = missing
        options.onChange()
      }
      await pause(RETRY_MS, undefined, { signal: options.signal }).catch((error: unknown) => {
        if (!options.signal.aborted) throw error
      })
    }
  }
  void loop()
  return watched
}
