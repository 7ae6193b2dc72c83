/** Reads the manifests in Git as they are, without kustomize. */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import { inRepository, repositoryRoot } from '../../tasks/lib/repository.ts'

export interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string, namespace?: string, labels?: Record<string, string>, annotations?: Record<string, string> }
  [field: string]: unknown
}

/** Folders whose YAML describes the cluster. The rehearsal's stand-in charts are templates, not YAML. */
export const manifestRoots = ['clusters/home', 'clusters/rehearsal', 'infrastructure', 'platform-services', 'tenants']

/** @returns paths in the repository of all YAML files below the manifest roots, sorted. */
export function manifestFiles(roots = manifestRoots): string[] {
  const files = roots.flatMap(root => readdirSync(inRepository(root), { recursive: true, encoding: 'utf8' }).map(file => path.join(root, file)))
  return files.filter(file => file.endsWith('.yaml') && !/^clusters\/rehearsal\/(charts|programs)\//.test(file)).sort()
}

export const readText = (file: string): string => readFileSync(path.resolve(repositoryRoot, file), 'utf8')

/** @throws when a document is not valid YAML */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map(document => {
    const [fault] = document.errors
    if (fault) throw fault
    return document.toJS() as Manifest | null
  }).filter(one => one !== null)
}

/** @returns the value at a dotted path, or undefined when any step is missing. */
export function at(value: unknown, dotted: string): unknown {
  return dotted.split('.').reduce((here: unknown, key) => typeof here === 'object' && here !== null ? (here as Record<string, unknown>)[key] : undefined, value)
}

/** @returns the list at a dotted path, empty when it is missing. */
export function listAt<T = Record<string, unknown>>(value: unknown, dotted: string): T[] {
  const found = at(value, dotted)
  return Array.isArray(found) ? found as T[] : []
}

/** Every leaf below a value, with its dotted path. */
export function leaves(value: unknown, prefix = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[prefix, value]]
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, prefix === '' ? key : `${prefix}.${key}`))
}

/** @returns every object found anywhere below a value that has the given key. */
export function holdersOf(value: unknown, key: string): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return []
  const below = Object.values(value).flatMap(inner => holdersOf(inner, key))
  return key in value ? [value as Record<string, unknown>, ...below] : below
}

/** @returns `Kind/namespace/name`. */
export const refOf = ({ kind, metadata }: Manifest): string => [kind, metadata.namespace, metadata.name].filter(part => part !== undefined).join('/')
