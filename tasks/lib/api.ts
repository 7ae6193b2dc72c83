/** The Kubernetes API over kubectl's proxy socket: requests and server-side apply, through a restart of the API server. */
import http from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { failure, hasCode } from './errors.ts'
import { type KubeList, type KubeObject, refOf } from './objects.ts'
import { type Resource, pathOf } from './resources.ts'

/** The name under which server-side apply records what tasks own. */
export const FIELD_MANAGER = 'homelab'
const RETRY_MS = 300

export interface Api {
  socket: string
  agent: http.Agent
  /** Milliseconds that a request is repeated while the API server is away. */
  patience: number
}

/** The API server's `Status` for a request that did not succeed. */
export class ApiError extends Error {
  readonly status: number
  readonly reason: string

  constructor(message: string, status: number, reason: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.reason = reason
  }
}

/** @param socket path of the Unix socket on which `kubectl proxy` listens */
export function connectApi(socket: string): Api {
  return { socket, agent: new http.Agent({ keepAlive: true, maxSockets: 64 }), patience: 0 }
}

interface RequestOptions {
  body?: unknown
  contentType?: string
  accept?: string
  signal?: AbortSignal
}

/** Sends a request and leaves its answer to be read as it comes. */
export function open(api: Api, method: string, path: string, options: RequestOptions): Promise<http.IncomingMessage> {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body)
  return new Promise((resolve, reject) => {
    const request = http.request({
      socketPath: api.socket, agent: api.agent, method, path, ...(options.signal ? { signal: options.signal } : {}),
      headers: {
        accept: options.accept ?? 'application/json',
        ...(body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    }, resolve)
    request.on('error', reject)
    request.end(body)
  })
}

export async function readAll(response: http.IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

export function errorFrom(status: number, text: string): ApiError {
  try {
    const parsed = JSON.parse(text) as { message?: string, reason?: string }
    return new ApiError(parsed.message ?? text, status, parsed.reason ?? '')
  } catch (error) {
    if (error instanceof SyntaxError) return new ApiError(text.trim() || `HTTP ${status}`, status, '')
    throw error
  }
}

// kubectl proxy tells of a connection that broke by a plain 500, without the Status that the API server sends
const isAway = (error: unknown): boolean => (error instanceof ApiError ? [429, 502, 503, 504].includes(error.status) || (error.status === 500 && error.reason === '') : isUnreachable(error))

/**
 * Every request of a task can be repeated: reads, deletions, patches that state a value.
 * @throws ApiError when the API server answers with a status of 400 or more; where it is away, after the API's patience
 */
export async function request<T>(api: Api, method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const started = performance.now()
  for (;;) {
    try {
      return await requestOnce<T>(api, method, path, options)
    } catch (error) {
      if (!isAway(error) || performance.now() > started + api.patience || options.signal !== undefined) throw error
      await pause(RETRY_MS)
    }
  }
}

async function requestOnce<T>(api: Api, method: string, path: string, options: RequestOptions): Promise<T> {
  const response = await open(api, method, path, options)
  const text = await readAll(response)
  const status = response.statusCode ?? 0
  if (status >= 400) throw errorFrom(status, text)
  return JSON.parse(text) as T
}

/** @returns the object, or undefined when it (or its kind) does not exist. */
export async function get<T extends KubeObject>(api: Api, resource: Resource, options: { namespace?: string, name: string }): Promise<T | undefined> {
  return ifFound(() => request<T>(api, 'GET', pathOf(resource, options)))
}

const unreachableCodes = ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE']

/** @returns true when a request failed because the API server is away or overloaded, so that asking again may help. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500
  return unreachableCodes.some(code => hasCode(error, code))
}

/** @returns what `action` returns, or undefined when the API server says 404. */
export async function ifFound<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  }
}

/** @returns the objects of a kind; none when the kind does not exist. Items carry kind and apiVersion. */
export async function list<T extends KubeObject>(api: Api, resource: Resource, options: { namespace?: string, query?: string } = {}): Promise<KubeList<T>> {
  const found = await ifFound(() => request<KubeList<T>>(api, 'GET', pathOf(resource, options) + (options.query ? `?${options.query}` : '')))
  if (found === undefined) return { items: [] }
  for (const item of found.items) Object.assign(item, { kind: resource.kind, apiVersion: resource.apiVersion })
  return found
}

/** Server-side apply with force, as Flux does. @param options.dryRun the API server validates and stores nothing */
export async function apply(api: Api, resource: Resource, object: KubeObject, options: { dryRun?: boolean } = {}): Promise<KubeObject> {
  const query = `?fieldManager=${FIELD_MANAGER}&force=true${options.dryRun === true ? '&dryRun=All' : ''}`
  const path = pathOf(resource, { namespace: object.metadata.namespace, name: object.metadata.name })
  try {
    return await request<KubeObject>(api, 'PATCH', path + query, { body: object, contentType: 'application/apply-patch+yaml' })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    throw failure(`${refOf(object)} cannot be applied`, { why: error.message })
  }
}

/** JSON merge patch of one object. */
export async function patch(api: Api, resource: Resource, options: { namespace?: string | undefined, name: string, body: unknown }): Promise<void> {
  await request(api, 'PATCH', `${pathOf(resource, options)}?fieldManager=${FIELD_MANAGER}`, { body: options.body, contentType: 'application/merge-patch+json' })
}

/** Deletes one object; one that is not there is fine. */
export async function remove(api: Api, resource: Resource, options: { namespace?: string | undefined, name: string, propagation?: string }): Promise<void> {
  await ifFound(() => request(api, 'DELETE', pathOf(resource, options), { body: { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: options.propagation ?? 'Background' } }))
}
