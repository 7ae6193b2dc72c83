/** Starts the detached supervisor of an instance and follows it until the cluster can be used. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { failure, hasCode } from '../lib/errors.ts'
import { elapsed } from '../lib/output.ts'
import { homelabHome, instanceFolder } from './paths.ts'
import { type ProcessRef, isAlive, refOfProcess } from './processes.ts'
import { findPorts } from './ports.ts'
import { type RehearsalState, readState, writeState } from './state.ts'

const START_PATIENCE_MS = 90_000
const POLL_MS = 25
const LOG_LINES = 8

/** What a supervisor has to read from its stdin before it begins. */
export const GO = 'go'

const logFile = (name: string): string => path.join(instanceFolder(name), 'logs', 'supervisor.log')

/** @returns the supervisor's process; it outlives this one, in a session of its own. */
export async function launchSupervisor(name: string, programs: string, world: string): Promise<ProcessRef> {
  const main = fileURLToPath(new URL('supervisor-main.ts', import.meta.url))
  // nothing of this task's environment: it may hold secrets
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, HOMELAB_HOME: homelabHome() }
  await mkdir(path.dirname(logFile(name)), { recursive: true, mode: 0o700 })
  const ports = await findPorts((await readState(instanceFolder(name)))?.ports)
  const log = openSync(logFile(name), 'a', 0o600)
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, name, programs, world], { cwd: instanceFolder(name), env, stdio: ['pipe', log, log], detached: true })
  closeSync(log)
  child.unref()
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    // one that ended already is told by who waits for it
    child.stdin?.once('error', reject)
    child.once('spawn', () => resolve(child.pid ?? 0))
  })
  const supervisor = await refOfProcess(pid)
  await writeState(instanceFolder(name), { name, phase: 'starting', supervisor, programs, ports, children: {} })
  // only now may it begin: a task that is killed before leaves no supervisor that nobody knows of
  child.stdin?.end(GO)
  return supervisor
}

async function lastWords(name: string): Promise<string> {
  try {
    return (await readFile(logFile(name), 'utf8')).trimEnd().split('\n').slice(-LOG_LINES).join('\n')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    throw error
  }
}

const startFailure = (name: string, why: string) => failure('the rehearsal cluster did not start', {
  where: path.dirname(logFile(name)), why, fix: 'make rehearsal-down rehearsal-up (a fresh cluster)',
})

/** @returns the state of the instance once it can be used. @throws failure with the supervisor's words */
export async function waitUntilReady(name: string, supervisor: ProcessRef): Promise<RehearsalState> {
  const deadline = Date.now() + START_PATIENCE_MS
  while (Date.now() < deadline) {
    // asked before the state is read: one that ends has written its last state by then
    const alive = await isAlive(supervisor)
    const state = await readState(instanceFolder(name))
    const own = state?.supervisor.pid === supervisor.pid ? state : undefined
    if (own?.phase === 'ready' && alive) return own
    if (own?.phase === 'failed') throw startFailure(name, own.problem ?? '')
    if (!alive) throw startFailure(name, `its supervisor ended:\n${await lastWords(name)}`)
    await pause(POLL_MS)
  }
  throw startFailure(name, `it was not ready after ${elapsed(START_PATIENCE_MS)}:\n${await lastWords(name)}`)
}
