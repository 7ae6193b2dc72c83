/** Finds the manifest file that an object of the cluster came from. */
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { KubeObject } from './objects.ts'
import { inRepository, repositoryRoot } from './repository.ts'

const roots = ['clusters/home', 'infrastructure', 'platform-services', 'tenants']

interface Manifest { file: string, text: string }

async function readManifests(): Promise<Manifest[]> {
  const nested = await Promise.all(roots.map(async root => {
    const entries = await readdir(inRepository(root), { recursive: true, withFileTypes: true })
    return entries.filter(entry => entry.isFile() && entry.name.endsWith('.yaml')).map(entry => path.join(entry.parentPath ?? entry.path, entry.name))
  }))
  return Promise.all(nested.flat().map(async file => ({ file: path.relative(repositoryRoot, file), text: await readFile(file, 'utf8') })))
}

let reading: Promise<Manifest[]> | undefined

/** @returns all manifests, read once: a task looks for files only in the error that ends it, there for many objects at a time. */
const manifests = (): Promise<Manifest[]> => reading ??= readManifests()

/**
 * @returns the file that a Kustomize or API error names, as a path in the repository: it names the controller's own copy, a broken file after
 * its folder, and of a file that is not there the one that lists it has to do
 */
async function fileNamedIn(words: string): Promise<string | undefined> {
  const files = new Set((await manifests()).map(({ file }) => file))
  const named = [...words.matchAll(/\/?((?:clusters|infrastructure|platform-services|tenants)\/[\w./-]+)/g)].map(match => match[1] ?? '').reverse()
  const inFolder = /in File: ([\w.-]+)/.exec(words)?.[1]
  const candidates = [...inFolder === undefined ? [] : named.map(folder => `${folder}/${inFolder}`), ...named, ...named.filter(name => name.endsWith('.yaml')).map(file => `${path.dirname(file)}/kustomization.yaml`)]
  return candidates.find(file => files.has(file))
}

async function fileOf(kind: string, name: string): Promise<string | undefined> {
  const isKind = new RegExp(`^kind:\\s*${kind}\\s*$`, 'm')
  const isName = new RegExp(`^  name:\\s*["']?${name}["']?\\s*$`, 'm')
  return (await manifests()).find(({ text }) => isKind.test(text) && isName.test(text))?.file
}

/** @returns the place that asks for a variable, as `file:line`. */
async function placeOfVariable(words: string): Promise<string | undefined> {
  const name = /variable not set[^"]*"(\w+)"/.exec(words)?.[1]
  if (name === undefined) return undefined
  for (const { file, text } of await manifests()) {
    const lines = text.split('\n')
    const index = lines.findIndex(line => line.includes(`\${${name}}`) || line.includes(`\${${name}:`))
    if (index >= 0) return `${file}:${index + 1}`
  }
  return undefined
}

/**
 * @param words an error text; an object or a file that it names is nearer to the fault than the object that reports it
 * @returns the manifest's path in the repository, or undefined when it came from elsewhere, e.g. from a chart
 */
export async function locate(object: KubeObject, words = ''): Promise<string | undefined> {
  const named = /(?:^|\s)([A-Z][A-Za-z]+)\/(?:[\w.-]+\/)?([\w.-]+)\s+(?:dry-run failed|not found|is invalid)/.exec(words)
  if (named?.[1] && named[2]) {
    const file = await fileOf(named[1], named[2])
    if (file) return file
  }
  return await fileNamedIn(words) ?? await placeOfVariable(words) ?? fileOf(object.kind, object.metadata.name)
}
