/** Prepares the rehearsal's outside world once: the Flux install manifest and the charts, as files that internet.ts serves. */
import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { waiting } from '../lib/output.ts'
import { inRepository } from '../lib/repository.ts'
import { packageCharts } from './charts.ts'
import { fluxManifest } from './flux-manifest.ts'
import { withLock } from './lock.ts'
import { homelabHome } from './paths.ts'
import { isUpstreamWanted, pullUpstreamCharts, upstreamPins } from './upstream-charts.ts'

export const chartSources = inRepository('clusters', 'rehearsal', 'charts')

async function filesBelow(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return []
  const names = await readdir(folder, { recursive: true })
  return names.map(name => path.join(folder, name)).filter(file => statSync(file).isFile()).sort()
}

/** Charts and the code that makes the manifest have a hash of their own: an edited chart must not mean a new build. */
async function worldHash(programs: string): Promise<string> {
  const hash = createHash('sha256').update(programs)
  if (isUpstreamWanted()) hash.update(JSON.stringify(await upstreamPins()))
  const own = ['flux-controllers.ts', 'flux-manifest.ts', 'charts.ts'].map(name => fileURLToPath(new URL(name, import.meta.url)))
  for (const file of [...await filesBelow(chartSources), ...own]) hash.update(`\0${path.relative(chartSources, file)}\0`).update(await readFile(file))
  return hash.digest('hex').slice(0, 16)
}

async function make(programs: string, folder: string): Promise<void> {
  const work = `${folder}.new`
  await rm(work, { recursive: true, force: true })
  await mkdir(path.join(work, 'charts'), { recursive: true, mode: 0o700 })
  await writeFile(path.join(work, 'install.yaml'), await fluxManifest(path.join(programs, 'data', 'flux-crds')))
  if (isUpstreamWanted()) await pullUpstreamCharts(programs, path.join(work, 'charts'))
  else await packageCharts(programs, chartSources, path.join(work, 'charts'))
  await rename(work, folder)
}

/** @param programs folder of the binaries. @returns the folder of the prepared world */
export async function prepareWorld(programs: string): Promise<string> {
  const folder = path.join(homelabHome(), 'worlds', await worldHash(programs))
  if (existsSync(folder)) return folder
  await withLock(path.join(homelabHome(), 'worlds.lock'), () => waiting('another task prepares the charts: waiting for it'), async () => {
    if (!existsSync(folder)) await make(programs, folder)
  })
  return folder
}
