/** Compares an object with what it shall be, field by field, and finds who changed it. No value that may be a secret is put into words. */
import type { KubeObject } from './objects.ts'

/** Steps from the object to a field; `[name]` for an item of a list. */
type FieldPath = string[]

export interface Difference { path: FieldPath, live: unknown, wanted: unknown }

export interface ManagedFields { manager: string, operation: string, subresource?: string, time?: string, fieldsV1?: Record<string, unknown> }

/** What the API server itself writes: no verdict on the object. */
const written = new Set(['managedFields', 'resourceVersion', 'generation', 'creationTimestamp', 'uid', 'selfLink'])
const LONGEST = 60
const sensitive = /env|secret|token|passw|credential|key|auth|cert/i

const isMap = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const nameOf = (item: unknown, index: number): string => `[${isMap(item) && typeof item.name === 'string' ? item.name : index}]`

function children(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) return new Map(value.map((item, index) => [nameOf(item, index), item]))
  return isMap(value) ? new Map(Object.entries(value)) : undefined
}

function compare(live: unknown, wanted: unknown, path: FieldPath): Difference[] {
  const [ours, theirs] = [children(live), children(wanted)]
  if (ours === undefined && theirs === undefined) return live === wanted ? [] : [{ path, live, wanted }]
  if (ours === undefined || theirs === undefined || Array.isArray(live) !== Array.isArray(wanted)) return [{ path, live, wanted }]
  return [...new Set([...ours.keys(), ...theirs.keys()])].flatMap(key => compare(ours.get(key), theirs.get(key), [...path, key]))
}

/** @param wanted the API server's answer to a dry run of applying what Git says. @returns where the object is otherwise */
export function differences(live: KubeObject, wanted: KubeObject): Difference[] {
  const strip = ({ status: _, metadata, ...rest }: KubeObject) => ({ ...rest, metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !written.has(key))) })
  return compare(strip(live), strip(wanted), [])
}

/** @returns the value at a path, undefined where there is none. */
const valueAt = (value: unknown, path: FieldPath): unknown => path.reduce<unknown>((here, step) => children(here)?.get(step), value)

/** @returns the fields that an entry of managedFields owns, as paths; items of a list by their names. */
function ownedPaths(fields: Record<string, unknown>, path: FieldPath = []): FieldPath[] {
  return Object.entries(fields).flatMap(([key, below]) => {
    if (key === '.' || key.startsWith('v:')) return path.length > 0 ? [path] : []
    const name = key.startsWith('k:') ? (JSON.parse(key.slice(2)) as { name?: string }).name : undefined
    if (key.startsWith('k:') && name === undefined) return [path]
    const step = name === undefined ? key.slice(2) : `[${name}]`
    return isMap(below) && Object.keys(below).length > 0 ? ownedPaths(below, [...path, step]) : [[...path, step]]
  })
}

const managersOf = (object: KubeObject): ManagedFields[] => (object.metadata as { managedFields?: ManagedFields[] }).managedFields ?? []
const belongsTo = (path: FieldPath, owned: FieldPath): boolean => owned.every((step, index) => path[index] === step) || path.every((step, index) => owned[index] === step)

/** Fields by which kubectl and Flux are told something, and which Flux leaves alone. */
const requests = /^reconcile\.fluxcd\.io\/|^kubectl\.kubernetes\.io\/last-applied-configuration$/

/** @returns fields that kubectl added and Git does not know: the next apply by kustomize-controller takes them away. */
export function additions(live: KubeObject, applied: KubeObject): Difference[] {
  const owned = managersOf(live).filter(entry => entry.manager.startsWith('kubectl') && entry.subresource === undefined).flatMap(entry => ownedPaths(entry.fieldsV1 ?? {}))
  const strange = owned.filter(path => valueAt(live, path) !== undefined && valueAt(applied, path) === undefined && !path.some(step => requests.test(step)))
  return strange.filter(path => children(valueAt(live, path)) === undefined).map(path => ({ path, live: valueAt(live, path), wanted: undefined }))
}

const dotted = (path: FieldPath): string => path.reduce((text, step) => text + (step.startsWith('[') || text === '' ? step : `.${step}`), '')

function show(value: unknown, secrets: readonly string[]): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'string' || value.length > LONGEST || value.includes('\n')) return undefined
  return secrets.some(secret => value.includes(secret)) ? undefined : JSON.stringify(value)
}

/** @param options.secrets values that are never shown. @returns `spec.replicas is 0, Git says 1`; of a Secret the keys alone */
export function describeDifference({ path, live, wanted }: Difference, options: { kind: string, secrets: readonly string[] }): string {
  const field = dotted(path)
  if (live === undefined) return `${field} is missing`
  if (wanted === undefined) return `${field} is not in Git`
  const hidden = options.kind === 'Secret' || path.some(step => sensitive.test(step))
  const [is, says] = hidden ? [] : [show(live, options.secrets), show(wanted, options.secrets)]
  return is === undefined || says === undefined ? `${field} differs from Git` : `${field} is ${is}, Git says ${says}`
}

/** @param own the manager that Git's fields have. @returns `edited by kubectl-edit at …`: the newest other owner of one of the fields */
export function editorOf(live: KubeObject, found: Difference[], own: string): string | undefined {
  const others = managersOf(live).filter(entry => entry.subresource !== 'status' && !(entry.manager === own && entry.operation === 'Apply'))
  const touching = others.filter(entry => ownedPaths(entry.fieldsV1 ?? {}).some(owned => found.some(({ path }) => belongsTo(path, owned))))
  const [newest] = touching.sort((a, b) => (b.time ?? '').localeCompare(a.time ?? ''))
  if (newest === undefined) return undefined
  return `${newest.subresource === 'scale' ? 'scaled' : 'edited'} by ${newest.manager}${newest.time ? ` at ${newest.time}` : ''}`
}
