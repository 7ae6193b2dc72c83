/** What tests of faults share: a task that is struck while it runs, what it leaves behind, and the table of what was survived. */
import type { ChildProcess } from 'node:child_process'
import { mkdir, readFile, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { say } from '../../tasks/lib/output.ts'
import { instanceFolder } from '../../tasks/rehearsal/paths.ts'
import { isAlive } from '../../tasks/rehearsal/processes.ts'
import { type RehearsalState, readState } from '../../tasks/rehearsal/state.ts'
import { type Lab, type Run, expectCode, make, run, whenSaid } from './support.ts'
import { recordFaults } from './support-figures.ts'

/** Seconds that a recovery may take at most; one that is longer has waited for a timeout. */
export const TIMEOUT = 150

export interface Strike {
  /** What the task says when the phase begins. */
  at: string | RegExp
  /** Done once, the moment it has said so; `signal` reaches make and the task as a terminal's does. */
  strike: (signal: (name: NodeJS.Signals) => void) => void | Promise<void>
}

/** Runs a make target and strikes in the phase that is meant; the phase has to come. */
export async function makeStruck(lab: Lab, target: string, { at, strike }: Strike, env: NodeJS.ProcessEnv = {}): Promise<Run> {
  let struck: Promise<void> | undefined
  const onStart = (child: ChildProcess): void => whenSaid(child.stderr, at, () => {
    struck = Promise.resolve(strike(name => { process.kill(-(child.pid ?? 0), name) }))
  })
  const result = await run('make', [target], { cwd: lab.folder, env: { ...lab.env, ...env }, detached: true, onStart })
  await struck
  assert.ok(struck !== undefined, `never said ${String(at)}:\n${result.stderr}`)
  return result
}

/** @returns the first line of what a run told that holds the words, without what differs from run to run. */
export function told(result: Run, words: string | RegExp): string {
  assert.match(result.stderr, words)
  const line = result.stderr.split('\n').find(one => (typeof words === 'string' ? one.includes(words) : words.test(one))) ?? String(words)
  const plain = line.trim().replace(/\b[0-9a-f]{12,40}\b/g, '…').replace(/ \b\d+m\d\ds|\b\d+(\.\d+)?m?s\b/g, '').replace(/-\d+-\d{6,}|-[0-9a-f]{8,10}-[a-z0-9]{5}\b/g, '-…').replace(/[·\s]+$/, '').replace(/ after$/, ' after its deadline').replace(/\s+/g, ' ')
  return plain.length > 160 ? `${plain.slice(0, 159)}…` : plain
}

/** @returns processes that work in the lab's clone: make, tasks, their proxies; not the cluster's own. */
async function processesOf(lab: Lab): Promise<string[]> {
  const pids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const found = await Promise.all(pids.map(async pid => {
    // one that ended meanwhile, or another user's
    const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '')
    return folder.startsWith(lab.folder) ? `${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')}` : ''
  }))
  return found.filter(line => line !== '')
}

/** Asserts that nothing runs on after a task has ended, in whatever way. */
export async function expectNoneLeft(lab: Lab): Promise<void> {
  const end = Date.now() + 5000
  let left = await processesOf(lab)
  while (left.length > 0 && Date.now() < end) {
    await pause(100)
    left = await processesOf(lab)
  }
  assert.equal(left, [])
}

/** Runs a target that has to succeed without waiting for a timeout. */
export async function succeed(lab: Lab, target: string, env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const result = await make(lab, target, { env })
  say(`  ${target}: ${result.seconds.toFixed(1)} s`)
  expectCode(result, 0)
  assert.ok(result.seconds < TIMEOUT, 'a timeout was waited for')
  return result
}

/** Runs a target again and lets the platform prove itself. */
export async function recover(lab: Lab, target: string): Promise<void> {
  await succeed(lab, target)
  expectCode(await make(lab, 'verify'), 0)
  await expectNoneLeft(lab)
}

/** @returns the process of the cluster with this name, running now. */
async function partOf(lab: Lab, name: string): Promise<RehearsalState['children'][string]> {
  const ref = (await readState(instanceFolder(lab.instance)))?.children[name]
  if (ref === undefined || !await isAlive(ref)) throw new Error(`${name} does not run`)
  return ref
}

/** Sends a signal to a part of the cluster, and takes SIGSTOP back after `seconds`. */
export async function hit(lab: Lab, name: string, signal: NodeJS.Signals, seconds = 0): Promise<void> {
  const { pid } = await partOf(lab, name)
  process.kill(pid, signal)
  if (signal !== 'SIGSTOP') return
  await pause(seconds * 1000)
  process.kill(pid, 'SIGCONT')
}

const outage = (lab: Lab, host: string): string => path.join(instanceFolder(lab.instance), 'outages', `${host}.rehearsal.internal`)

/** Takes a host of the outside world away: `git`, `charts`, `flux`, `acme-staging` or `acme-prod`. */
export async function takeAway(lab: Lab, host: string): Promise<void> {
  await mkdir(path.dirname(outage(lab, host)), { recursive: true })
  await writeFile(outage(lab, host), '')
}

export const bringBack = (lab: Lab, host: string): Promise<void> => rm(outage(lab, host), { force: true })

/** What a uvu suite gives to register tests. */
interface Suite {
  (name: string, body: () => Promise<void>): void
  after: (body: () => Promise<void>) => void
}

/**
 * Registers cases of a suite: each returns what the user was told, and counts as survived when nothing in it failed.
 * FAULT=pattern runs only cases whose names match, and writes no figures.
 */
export function faultCases(test: Suite, file: string): (name: string, body: () => Promise<string>) => void {
  const rows: { name: string, words: string, survived: boolean }[] = []
  const only = process.env.FAULT ?? ''
  if (only === '') test.after(() => recordFaults(file, rows))
  return (name, body) => {
    if (!new RegExp(only).test(name)) return
    test(name, async () => {
      const started = Date.now()
      const row = { name, words: '', survived: false }
      rows.push(row)
      row.words = await body()
      row.survived = true
      say(`${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`)
    })
  }
}
