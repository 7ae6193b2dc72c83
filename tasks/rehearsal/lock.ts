/** A lock between tasks: one file that names its holder by process id and start time, so that a lock left behind is recognized. */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { hasCode } from '../lib/errors.ts'
import { onTaskEnd } from '../lib/task.ts'
import { type ProcessRef, isAlive, refOfProcess } from './processes.ts'

const POLL_MS = 100
const BREAKING_MS = 10_000

async function create(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** @returns the holder that a lock file names; undefined for one that is being written or gone. */
export function parseHolder(text: string): ProcessRef | undefined {
  const [pid, started] = text.split(' ')
  return pid !== undefined && started !== undefined && /^\d+$/.test(pid) ? { pid: Number(pid), started: text.slice(pid.length + 1) } : undefined
}

async function holderOf(file: string): Promise<ProcessRef | undefined> {
  try {
    return parseHolder(await readFile(file, 'utf8'))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

async function isOld(file: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(file)).mtimeMs > BREAKING_MS
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

// Two waiters may see the same stale lock: only the one that holds the second file may remove it, after another look.
async function breakStale(file: string): Promise<void> {
  const breaking = `${file}.breaking`
  if (!await create(breaking, '')) {
    if (await isOld(breaking)) await rm(breaking, { force: true })
    return
  }
  const holder = await holderOf(file)
  const stale = holder === undefined ? await isOld(file) : !await isAlive(holder)
  if (stale) await rm(file, { force: true })
  await rm(breaking, { force: true })
}

/**
 * Runs `work` while holding the lock; waits for another holder as long as it lives.
 * @param onWait called once, with the holder, when somebody else has the lock
 */
export async function withLock<T>(file: string, onWait: (holder: ProcessRef) => void, work: () => Promise<T>): Promise<T> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const self = await refOfProcess(process.pid)
  let said = false
  while (!await create(file, `${self.pid} ${self.started}`)) {
    const holder = await holderOf(file)
    const alive = holder !== undefined && await isAlive(holder)
    if (alive && !said) onWait(holder)
    said ||= alive
    if (!alive) await breakStale(file)
    await pause(POLL_MS)
  }
  const release = () => rm(file, { force: true })
  const forget = onTaskEnd(release)
  try {
    return await work()
  } finally {
    forget()
    await release()
  }
}
