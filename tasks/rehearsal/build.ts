/** Builds the programs of the rehearsal cluster once; a finished build is never touched again. */
import { appendFileSync, existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { failure, hasCode } from '../lib/errors.ts'
import { doing, done, elapsed, say, waiting } from '../lib/output.ts'
import { gib, requireSpace, sizeOf } from './disk.ts'
import { go } from './go.ts'
import { withLock } from './lock.ts'
import { writeModuleData } from './module-data.ts'
import { homelabHome, programsFolder } from './paths.ts'
import { isBuilt, pinnedVersion, programNames, programsHash } from './programs.ts'
import { type BuildPosition, progressLine, showProgress } from './progress.ts'
import { findGo } from './toolchain.ts'

/** Bytes that compiler cache, linker and binaries need at their peak (measured: 5.3 GiB when all is done). */
const PEAK_BYTES = 6.5 * 2 ** 30

/** Everything that `tool` in go.mod names, and our own programs beside it. */
const targets = ['tool', './...']

async function linkerFlags(): Promise<string> {
  const version = await pinnedVersion('k8s.io/kubernetes')
  const [major = '', minor = ''] = version.replace('v', '').split('.')
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor }
  return ['-s', '-w', ...Object.entries(values).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`)].join(' ')
}

async function readLines(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).split('\n').filter(line => line !== '')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}

/** Loads all packages, which downloads what is missing. @returns their import paths */
async function listPackages(work: string): Promise<Set<string>> {
  let downloads = 0
  const begin = Date.now()
  const stop = showProgress(() => downloads === 0 ? 'reading the packages' : `downloading Go modules: ${downloads} so far · ${elapsed(Date.now() - begin)}`)
  try {
    const onLine = (line: string) => { downloads += line.startsWith('go: downloading ') ? 1 : 0 }
    const list = await go(['list', '-deps', ...targets], { work, onLine })
    if (downloads > 0) done(`${downloads} Go modules downloaded · ${elapsed(Date.now() - begin)}`)
    return new Set(list.split('\n').filter(line => line !== ''))
  } finally {
    stop()
  }
}

async function compile(work: string, output: string): Promise<void> {
  const packages = await listPackages(work)
  const record = path.join(work, 'compiled.txt')
  const compiled = new Set((await readLines(record)).filter(name => packages.has(name)))
  const begin = Date.now()
  const position: BuildPosition = { done: compiled.size, total: packages.size, kept: compiled.size, spent: 0, cores: availableParallelism() }
  say(`  ${packages.size} packages${compiled.size > 0 ? `, ${compiled.size} of them kept from an interrupted build` : ''}`)
  const begun: string[] = []
  const stop = showProgress(() => progressLine({ ...position, done: compiled.size, spent: Date.now() - begin }))
  try {
    // debug data that the linker drops anyway would be a quarter of the compiler's cache
    const flags = ['-v', '-trimpath', '-buildvcs=false', '-gcflags=all=-dwarf=false', `-ldflags=${await linkerFlags()}`, `-o=${output}${path.sep}`]
    await go(['build', ...flags, ...targets], {
      work, onLine: line => {
        if (!packages.has(line)) return
        compiled.add(line)
        // go names a package when it begins: those named last may not be finished
        const finished = begun.push(line) > position.cores * 2 ? begun.shift() : undefined
        if (finished !== undefined) appendFileSync(record, `${finished}\n`)
      },
    })
  } finally {
    stop()
  }
}

async function requireAll(output: string): Promise<void> {
  await rename(path.join(output, 'server'), path.join(output, 'etcd'))
  const missing = programNames.filter(name => !existsSync(path.join(output, name)))
  if (missing.length > 0) throw failure(`the build made no ${missing.join(', ')}`, { where: 'clusters/rehearsal/programs', fix: 'git status clusters/rehearsal/programs, then: make rehearsal-up' })
}

async function build(hash: string): Promise<void> {
  const work = path.join(homelabHome(), 'programs', 'building')
  const output = path.join(work, 'out')
  const cache = path.join(work, 'gocache')
  const kept = existsSync(cache) ? await sizeOf(cache) : 0
  await requireSpace(homelabHome(), PEAK_BYTES - Math.min(kept, PEAK_BYTES * 0.8))
  for (const folder of [output, path.join(work, 'tmp')]) await rm(folder, { recursive: true, force: true })
  await mkdir(output, { recursive: true, mode: 0o700 })
  doing('building the rehearsal cluster from source: once, about 8 min on 2 cores')
  const begin = Date.now()
  await compile(work, output)
  await requireAll(output)
  await writeModuleData(work, output)
  const [peak, size] = await Promise.all([sizeOf(work), sizeOf(output)])
  await rename(output, programsFolder(hash))
  await rm(work, { recursive: true, force: true })
  done(`built in ${elapsed(Date.now() - begin)} · ${gib(peak)} of disk while building, ${gib(size)} kept in ${programsFolder(hash)}`)
}

/** Builds what is missing; of two at once, one waits for the other. @returns the folder of the binaries */
export async function buildPrograms(): Promise<string> {
  const hash = await programsHash(await findGo())
  if (isBuilt(hash)) return programsFolder(hash)
  const lock = path.join(homelabHome(), 'programs', 'building.lock')
  await withLock(lock, holder => waiting(`process ${holder.pid} builds the rehearsal cluster already: waiting for it`), async () => {
    if (!isBuilt(hash)) await build(hash)
  })
  return programsFolder(hash)
}
