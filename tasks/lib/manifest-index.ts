/** Finds the manifest file that an object of the cluster came from. */
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import type { KubeObject } from './objects.ts'
import { inRepository, repositoryRoot } from './repository.ts'

const roots = ['clusters/home', 'infrastructure', 'platform-services', 'tenants']

async function manifestFiles(): Promise<string[]> {
  const nested = await Promise.all(roots.map(async root => {
    const entries = await readdir(inRepository(root), { recursive: true, withFileTypes: true })
    return entries.filter(entry => entry.isFile() && entry.name.endsWith('.yaml')).map(entry => path.join(entry.parentPath ?? entry.path, entry.name))
  }))
  return nested.flat()
}

/**
 * @returns the file that a Kustomize or API error names, as a path in the repository: it names the controller's own copy, a broken file after
 * its folder, and of a file that is not there the one that lists it has to do
 */
async function fileNamedIn(words: string): Promise<string | undefined> {
  const files = new Set((await manifestFiles()).map(file => path.relative(repositoryRoot, file)))
  const named = [...words.matchAll(/\/?((?:clusters|infrastructure|platform-services|tenants)\/[\w./-]+)/g)].map(match => match[1] ?? '').reverse()
  const inFolder = /in File: ([\w.-]+)/.exec(words)?.[1]
  const candidates = [...inFolder === undefined ? [] : named.map(folder => `${folder}/${inFolder}`), ...named, ...named.filter(name => name.endsWith('.yaml')).map(file => `${path.dirname(file)}/kustomization.yaml`)]
  return candidates.find(file => files.has(file))
}

async function fileOf(kind: string, name: string): Promise<string | undefined> {
  const isKind = new RegExp(`^kind:\\s*${kind}\\s*$`, 'm')
  const isName = new RegExp(`^  name:\\s*["']?${name}["']?\\s*$`, 'm')
  for (const file of await manifestFiles()) {
    const text = await readFile(file, 'utf8')
    if (isKind.test(text) && isName.test(text)) return path.relative(repositoryRoot, file)
  }
  return undefined
}

/** @returns the place that asks for a variable, as `file:line`. */
async function placeOfVariable(words: string): Promise<string | undefined> {
  const name = /variable not set[^"]*"(\w+)"/.exec(words)?.[1]
  if (name === undefined) return undefined
  for (const file of await manifestFiles()) {
    const lines = (await readFile(file, 'utf8')).split('\n')
    const index = lines.findIndex(line => line.includes(`\${${name}}`) || line.includes(`\${${name}:`))
    if (index >= 0) return `${path.relative(repositoryRoot, file)}:${index + 1}`
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
