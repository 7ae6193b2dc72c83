/** Runs one test file as a process group of its own, so that nothing it starts outlives a timeout or Ctrl-C. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Ending } from './totals.ts'

/** Between SIGTERM and SIGKILL, in milliseconds. */
const GRACE = 10_000
/** For the output that is still in the pipes once the process has ended, in milliseconds. */
const DRAIN = 2000
const running = new Set<ChildProcess>()

/** What a developer's shell may hold and no test may see: it would point tests at a real cluster or change what they check. */
const removed = /^(KUBE_CONTEXT|KUBECONFIG|DRY_RUN|YES|JSON|KEEP_DATA|DEBUG|MAKEFLAGS|MFLAGS|MAKELEVEL|MAKEOVERRIDES|GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX))$|^(OAUTH2_PROXY|CLICKHOUSE|MONGODB|HYPERDX|EXPRESS|OTLP)_/

/**
 * @param options.timeout in milliseconds.
 * @param options.onLine called with each non-empty line the process prints.
 */
export function runProcess(command: readonly [string, ...string[]], options: { timeout: number; onLine: (line: string) => void }): Promise<Ending> {
  const [program, ...args] = command
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !removed.test(name)))
  const child = spawn(program, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let output = ''
  let timedOut = false
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
      for (const line of chunk.split('\n')) if (line.trim() !== '') options.onLine(line)
    })
  }
  const timer = setTimeout(() => {
    timedOut = true
    end(child)
  }, options.timeout)
  return new Promise(resolve => {
    const finish = (status: number | string): void => {
      clearTimeout(timer)
      running.delete(child)
      child.stdout.destroy()
      child.stderr.destroy()
      resolve({ status, timedOut, output })
    }
    child.once('error', error => finish(error.message))
    child.once('close', (code, signal) => finish(code ?? signal ?? 'no exit code'))
    // a detached rehearsal cluster may hold the pipes open, then `close` never comes
    child.once('exit', (code, signal) => setTimeout(() => finish(code ?? signal ?? 'no exit code'), DRAIN).unref())
  })
}

function end(child: ChildProcess): void {
  signal(child, 'SIGTERM')
  setTimeout(() => signal(child, 'SIGKILL'), GRACE).unref()
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined || !running.has(child)) return
  try {
    process.kill(-child.pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Passes a signal on to every test process. */
export function signalAll(name: NodeJS.Signals): void {
  for (const child of running) signal(child, name)
}
