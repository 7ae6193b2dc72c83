/** Builds overlays as Flux does. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { inRepository, repositoryRoot } from '../../tasks/lib/repository.ts'
import { type Manifest, parseManifests } from './support-manifests.ts'
import { findProgram } from './support-programs.ts'

const run = promisify(execFile)

let kubectl: Promise<string> | undefined

/** @param folder absolute, or relative to the repository. @returns the YAML. @throws with kustomize's words */
export async function buildText(folder: string): Promise<string> {
  kubectl ??= findProgram('kubectl')
  const args = ['kustomize', '--load-restrictor', 'LoadRestrictionsNone', path.resolve(repositoryRoot, folder)]
  return (await run(await kubectl, args, { maxBuffer: 2 ** 26 })).stdout
}

const built = new Map<string, Promise<Manifest[]>>()

/** Builds a folder of the repository, once per test file. */
export function build(folder: string): Promise<Manifest[]> {
  const known = built.get(folder) ?? buildText(folder).then(parseManifests)
  built.set(folder, known)
  return known
}

/** Builds a kustomization that is in no file: paths in it are relative to the repository. */
export async function buildInline(kustomization: { resources: string[], components?: string[], patches?: unknown[] }): Promise<string> {
  // kustomize takes relative paths only
  const folder = await mkdtemp(inRepository('node_modules', '.contract-'))
  const relative = (target: string): string => path.relative(folder, inRepository(target))
  try {
    const { resources, components = [], patches = [] } = kustomization
    const content = { resources: resources.map(relative), components: components.map(relative), patches }
    await writeFile(path.join(folder, 'kustomization.yaml'), stringify(content))
    return await buildText(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
