/** Which programs the rehearsal needs, and the hash of everything that goes into them. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { inRepository } from '../lib/repository.ts'
import { programsFolder } from './paths.ts'
import type { Toolchain } from './toolchain.ts'

export const sourceFolder = inRepository('clusters', 'rehearsal', 'programs')

/** Every binary that a finished build holds; etcd's package is named `server`. */
export const programNames = [
  'cert-manager', 'controller-gen', 'crane', 'etcd', 'helm', 'helm-controller', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler',
  'kubectl', 'kustomize-controller', 'kwok', 'pebble', 'pki', 'source-controller',
] as const

/** Bump when the build's own output changes in another way than by its sources. */
const RECIPE = '1'

/** @returns go.mod, go.sum and all Go sources but tests, relative to the programs' folder, sorted. */
export async function sourceFiles(): Promise<string[]> {
  const all = await readdir(sourceFolder, { recursive: true })
  return all.filter(file => /(?:^|\/)go\.(?:mod|sum)$|(?<!_test)\.go$/.test(file)).sort()
}

/** @returns the hash that names the folder of the binaries. */
export async function programsHash(toolchain: Toolchain): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([RECIPE, toolchain]))
  for (const file of await sourceFiles()) hash.update(`\0${file}\0`).update(await readFile(path.join(sourceFolder, file)))
  return hash.digest('hex').slice(0, 16)
}

/** @returns true when a finished build lies there: it gets its name only when it is complete. */
export const isBuilt = (hash: string): boolean => existsSync(programsFolder(hash))

/** @returns the version of a module as go.mod pins it. */
export async function pinnedVersion(module: string): Promise<string> {
  const text = await readFile(path.join(sourceFolder, 'go.mod'), 'utf8')
  const line = text.split('\n').find(candidate => candidate.trim().startsWith(`${module} v`))
  return line?.trim().split(/\s+/)[1] ?? ''
}
