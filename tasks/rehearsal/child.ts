/** One child process of the supervisor: started, logged, started again when it dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../lib/errors.ts'
import { type ProcessRef, endProcess, refOfProcess } from './processes.ts'

export interface ChildSpec {
  name: string
  program: string
  /** Never a secret: every process of the machine can read them. */
  args: string[]
  env?: Record<string, string>
  /** Milliseconds that it gets between SIGTERM and SIGKILL. */
  patience?: number
  /** What makes a freshly started process useful; tried again until it succeeds or the process ends. */
  afterStart?: () => Promise<void>
}

export interface ChildHooks {
  folder: string
  env: Record<string, string>
  log: (line: string) => void
  /** Called with the process after each start, and with undefined when it has ended. */
  onChange: (name: string, ref: ProcessRef | undefined) => void
}

export interface Child {
  name: string
  /** Settles when `afterStart` has succeeded for the first time. */
  useful: Promise<void>
  /** Ends the process for good and waits for its end. */
  stop: () => Promise<void>
}

const PAUSES_MS = [200, 1000, 3000, 5000]
const STEADY_MS = 30_000
const PATIENCE_MS = 10_000
const RETRY_MS = 50
const RETRIES = 200

function open(spec: ChildSpec, hooks: ChildHooks): ChildProcess {
  const log = openSync(path.join(hooks.folder, 'logs', `${spec.name}.log`), 'a', 0o600)
  try {
    return spawn(spec.program, spec.args, { cwd: hooks.folder, env: { ...hooks.env, ...spec.env }, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}

const ended = (child: ChildProcess): Promise<string> => new Promise(resolve => {
  child.once('error', error => resolve(messageOf(error)))
  child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code ?? '?'}` : signal))
})

/** Runs `afterStart` until it succeeds; a process that does not answer yet is no error. */
async function makeUseful(spec: ChildSpec, hooks: ChildHooks, hasEnded: () => boolean): Promise<boolean> {
  for (let attempt = 1; !hasEnded(); attempt += 1) {
    try {
      await spec.afterStart?.()
      return true
    } catch (error) {
      if (attempt === RETRIES) hooks.log(`${spec.name} runs, but: ${messageOf(error)}`)
      await pause(attempt < RETRIES ? RETRY_MS : 5000)
    }
  }
  return false
}

/** Starts a child and keeps it running until `stop`; pauses grow from 0.2 s to 5 s while it does not last 30 s. */
export function startChild(spec: ChildSpec, hooks: ChildHooks): Child {
  const stopping = new AbortController()
  let current: ProcessRef | undefined
  let resolveUseful = () => {}
  const useful = new Promise<void>(resolve => { resolveUseful = resolve })
  const runOnce = async () => {
    const child = open(spec, hooks)
    const end = ended(child)
    if (child.pid !== undefined) {
      current = await refOfProcess(child.pid)
      hooks.onChange(spec.name, current)
      if (stopping.signal.aborted) child.kill()
    }
    let hasEnded = false
    void makeUseful(spec, hooks, () => hasEnded || stopping.signal.aborted).then(success => success && resolveUseful())
    const why = await end
    hasEnded = true
    current = undefined
    hooks.onChange(spec.name, undefined)
    return why
  }
  const loop = async () => {
    for (let failures = 0; !stopping.signal.aborted; failures += 1) {
      const start = Date.now()
      const why = await runOnce()
      if (stopping.signal.aborted) return
      if (Date.now() - start > STEADY_MS) failures = 0
      const wait = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)] ?? 0
      hooks.log(`${spec.name} ended (${why}), starts again in ${wait} ms`)
      await pause(wait, undefined, { signal: stopping.signal }).catch((error: unknown) => {
        if (!stopping.signal.aborted) throw error
      })
    }
  }
  const running = loop()
  return {
    name: spec.name,
    useful,
    stop: async () => {
      stopping.abort()
      if (current !== undefined) await endProcess(current, spec.patience ?? PATIENCE_MS)
      await running
    },
  }
}
