/** Runs the go command for the build and turns its failures into the house's form. */
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { totalmem } from 'node:os'
import path from 'node:path'
import { type TaskError, failure } from '../lib/errors.ts'
import { secretKeys } from '../lib/inputs.ts'
import { onTaskEnd } from '../lib/task.ts'
import { sourceFolder } from './programs.ts'

const TAIL_LINES = 15
const ROOMY_BYTES = 8 * 2 ** 30

/** @returns the build's environment: our own cache, nothing of a user's Go flags or runtime secrets. HOMELAB_GOCACHE names a cache that is kept. */
export function goEnvironment(work: string): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !(secretKeys as readonly string[]).includes(key)))
  return {
    ...inherited, GOCACHE: process.env.HOMELAB_GOCACHE ?? path.join(work, 'gocache'), GOTMPDIR: path.join(work, 'tmp'),
    GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local', GOWORK: 'off', CGO_ENABLED: '0',
    // the compiler spends a tenth of its time less on its own garbage; it needs the memory for it
    ...(totalmem() >= ROOMY_BYTES ? { GOGC: '400' } : {}),
  }
}

const network = /dial tcp|no such host|i\/o timeout|connection refused|TLS handshake|proxyconnect|reading https?:|GOPROXY/

/** @returns the error for what go said last. */
export function goFailure(lines: string[]): TaskError {
  const why = lines.slice(-TAIL_LINES).join('\n')
  const where = path.relative(process.cwd(), sourceFolder) || '.'
  if (/no space left on device/.test(why)) return failure('the disk is full', { where, why, fix: 'free some space, then: make rehearsal-up (it goes on where it stopped)' })
  if (network.test(why)) return failure('Go modules cannot be downloaded', { where, why, fix: 'check the network and GOPROXY (go env GOPROXY), then: make rehearsal-up (it goes on where it stopped)' })
  return failure('the rehearsal programs do not compile', { where, why, fix: `cd ${where} && go vet ./..., then: make rehearsal-up (it goes on where it stopped)` })
}

export interface GoRun {
  work: string
  /** Called with each line of stderr. */
  onLine?: (line: string) => void
}

/** @returns stdout. @throws failure with go's last lines */
export async function go(args: string[], run: GoRun): Promise<string> {
  await mkdir(path.join(run.work, 'tmp'), { recursive: true, mode: 0o700 })
  const child = spawn('go', args, { cwd: sourceFolder, env: goEnvironment(run.work), stdio: ['ignore', 'pipe', 'pipe'] })
  const forget = onTaskEnd(() => { child.kill('SIGINT') })
  let stdout = ''
  let rest = ''
  const lines: string[] = []
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => { stdout += chunk })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      lines.push(line)
      run.onLine?.(line)
    }
  })
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', value => resolve(value ?? 1))
  })
  forget()
  if (code === 0) return stdout
  throw goFailure([...lines, rest].filter(line => line !== '' && !/^[\w./-]+$/.test(line)))
}
