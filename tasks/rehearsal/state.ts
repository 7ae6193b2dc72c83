/** What an instance writes down about itself: state.json in its folder, for its owner's eyes only. */
import { readFile, readdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { hasCode } from '../lib/errors.ts'
import { instanceFolder, instancesFolder } from './paths.ts'
import { type ProcessRef, isAlive } from './processes.ts'
import type { Ports } from './ports.ts'

export interface RehearsalState {
  name: string
  /** The supervisor. */
  supervisor: ProcessRef
  /** `starting` until the cluster can be used; `failed` comes with `problem`. */
  phase: 'starting' | 'ready' | 'failed'
  problem?: string
  /** Folder of the binaries it was started with. */
  programs: string
  ports: Ports
  /** Its processes by name: what is ended when the supervisor was killed, and what a test may stop. */
  children: Record<string, ProcessRef>
}

const stateFile = (folder: string): string => path.join(folder, 'state.json')

/** @returns the state, or undefined where none is written or it is not legible (a disk that was full). */
export async function readState(folder: string): Promise<RehearsalState | undefined> {
  try {
    return JSON.parse(await readFile(stateFile(folder), 'utf8')) as RehearsalState
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Replaces the state in one step: a reader sees the old one or the new one. */
export async function writeState(folder: string, state: RehearsalState): Promise<void> {
  const file = stateFile(folder)
  await writeFile(`${file}.new`, JSON.stringify(state, undefined, 2), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** @returns the state of an instance whose supervisor lives; a stale state file is no instance. */
export async function readLiveState(name: string): Promise<RehearsalState | undefined> {
  const state = await readState(instanceFolder(name))
  return state !== undefined && await isAlive(state.supervisor) ? state : undefined
}

/** @returns the names of all instances that have a folder, running or not. */
export async function instanceNames(): Promise<string[]> {
  try {
    const entries = await readdir(instancesFolder(), { withFileTypes: true })
    return entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return []
    throw error
  }
}
