/** Processes by id and start time together: an id alone is given to another process some day. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { hasCode } from '../lib/errors.ts'

export interface ProcessRef {
  pid: number
  /** The system's own words for when it started; only compared. */
  started: string
}

/** @returns field 22 (start time) of /proc/PID/stat, whose second field may hold spaces and parentheses; undefined for a zombie. */
export function parseStat(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? undefined : fields[19]
}

// macOS has no /proc
function startTimeFromPs(pid: number): Promise<string | undefined> {
  return new Promise(resolve => {
    execFile('ps', ['-o', 'lstart=', '-p', String(pid)], (error, stdout) => resolve(error ? undefined : stdout.trim() || undefined))
  })
}

/** @returns when the process started, or undefined when there is none with this id. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return startTimeFromPs(pid)
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return undefined
    throw error
  }
}

export async function refOfProcess(pid: number): Promise<ProcessRef> {
  return { pid, started: (await startTimeOf(pid)) ?? '' }
}

/** @returns true while this very process lives. */
export async function isAlive(ref: ProcessRef): Promise<boolean> {
  return ref.started !== '' && (await startTimeOf(ref.pid)) === ref.started
}

function signal(ref: ProcessRef, name: NodeJS.Signals): void {
  try {
    process.kill(ref.pid, name)
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

async function isGone(ref: ProcessRef, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience
  while (await isAlive(ref)) {
    if (Date.now() > deadline) return false
    await pause(20)
  }
  return true
}

/**
 * Ends one process: SIGTERM, and SIGKILL where that does not help. A process with another start time is left alone.
 * @param patience milliseconds between the two
 */
export async function endProcess(ref: ProcessRef, patience: number): Promise<void> {
  if (!await isAlive(ref)) return
  signal(ref, 'SIGTERM')
  // a stopped process does not see SIGTERM
  signal(ref, 'SIGCONT')
  if (await isGone(ref, patience)) return
  signal(ref, 'SIGKILL')
  await isGone(ref, 5000)
}
