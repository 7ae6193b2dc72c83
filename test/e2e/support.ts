/** What every end-to-end test does as a user would: a clone of its own, make as a real process, kubectl against the rehearsal cluster. */
import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { repositoryRoot } from '../../tasks/lib/repository.ts'

export interface Run {
  code: number
  stdout: string
  stderr: string
  /** Wall time in seconds. */
  seconds: number
}

export interface Lab {
  /** A clone of the repository. */
  folder: string
  /** Name of the rehearsal instance. */
  instance: string
  env: NodeJS.ProcessEnv
}

// A make of its own: this one's flags and jobserver are none of the tested make's business.
export const { MAKEFLAGS: _flags, MAKELEVEL: _level, MFLAGS: _mflags, ...environment } = process.env

interface RunOptions {
  env?: NodeJS.ProcessEnv
  cwd?: string
  input?: string
  /** Leaves stdin open, for `onStart` to type. */
  keyboard?: boolean
  /** In a process group of its own, as on a terminal. */
  detached?: boolean
  onStart?: (child: ChildProcess) => void
}

/** Runs a program to its end. */
export function run(program: string, args: string[], options: RunOptions = {}): Promise<Run> {
  const { cwd, input, keyboard = false, detached = false } = options
  const started = Date.now()
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, detached, env: { ...environment, ...options.env }, stdio: [input === undefined && !keyboard ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => { stdout += chunk })
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => { stderr += chunk })
    child.on('error', reject)
    child.on('close', code => resolve({ code: code ?? 128, stdout, stderr, seconds: (Date.now() - started) / 1000 }))
    child.stdin?.on('error', reject)
    if (!keyboard) child.stdin?.end(input)
    options.onStart?.(child)
  })
}

/** Runs a program that must succeed. @returns its trimmed stdout */
export async function must(program: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await run(program, args, options)
  if (result.code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${result.code}\n${result.stdout}\n${result.stderr}`)
  return result.stdout.trim()
}

/**
 * Makes a clone with the uncommitted changes of this checkout committed on top, so that a test tries what is there now.
 * @param instance name of the test's own rehearsal cluster
 */
export async function openLab(instance: string): Promise<Lab> {
  const folder = await mkdtemp(path.join(tmpdir(), `homelab-${instance}-`))
  await must('git', ['clone', '--quiet', repositoryRoot, folder])
  const listed = await must('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: repositoryRoot })
  for (const file of listed.split('\0').filter(name => name !== '')) {
    await cp(path.join(repositoryRoot, file), path.join(folder, file), { force: true, preserveTimestamps: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
  const lab: Lab = { folder, instance, env: { REHEARSAL: instance, KUBE_CONTEXT: '', GIT_AUTHOR_NAME: 'e2e', GIT_AUTHOR_EMAIL: 'e2e@example.com', GIT_COMMITTER_NAME: 'e2e', GIT_COMMITTER_EMAIL: 'e2e@example.com' } }
  await commitAll(lab, 'test: the working tree', { allowEmpty: true })
  await must('git', ['checkout', '-q', '-B', 'main'], { cwd: folder })
  return lab
}

/** Stops the lab's cluster and deletes its clone. */
export async function closeLab(lab: Lab): Promise<void> {
  await make(lab, 'rehearsal-down')
  await rm(lab.folder, { recursive: true, force: true })
}

/** Runs a make target as a user does. Later variables win, as on make's command line. */
export function make(lab: Lab, target: string, options: { env?: NodeJS.ProcessEnv, onStart?: (child: ChildProcess) => void } = {}): Promise<Run> {
  return run('make', [target], { cwd: lab.folder, env: { ...lab.env, ...options.env }, ...(options.onStart ? { onStart: options.onStart } : {}) })
}

/** Acts once, the moment a stream has said `at`. */
export function whenSaid(stream: Readable | null, at: string | RegExp, act: () => void): void {
  let said = ''
  let acted = false
  stream?.on('data', (chunk: string) => {
    said += chunk
    if (acted || !(typeof at === 'string' ? said.includes(at) : at.test(said))) return
    acted = true
    act()
  })
}

/** Runs make on a terminal of its own, which script(1) makes, and types `text` once it has said `at`. stdout is all that it wrote. */
export function makeOnTerminal(lab: Lab, target: string, { at, text }: { at: string, text: string }): Promise<Run> {
  const onStart = (child: ChildProcess): void => whenSaid(child.stdout, at, () => { child.stdin?.write(text) })
  return run('script', ['-qefc', `make ${target}`, '/dev/null'], { cwd: lab.folder, env: { ...lab.env, TERM: 'xterm' }, keyboard: true, onStart })
}

/** @returns KUBECONFIG and PATH of the lab's cluster, read from `make -s rehearsal-env` by a shell, as a user does. */
export async function clusterEnv(lab: Lab): Promise<NodeJS.ProcessEnv> {
  const text = await must('sh', ['-c', 'eval "$(make -s rehearsal-env)"; printf "%s\\n%s" "$KUBECONFIG" "$PATH"'], { cwd: lab.folder, env: lab.env })
  const [KUBECONFIG, PATH] = text.split('\n')
  return { KUBECONFIG, PATH }
}

/** Runs the lab's kubectl. */
export async function kubectl(lab: Lab, args: string[], options: { input?: string } = {}): Promise<string> {
  const env = await clusterEnv(lab)
  return must('kubectl', args, { cwd: lab.folder, env: { ...lab.env, ...env }, ...options })
}

/** @returns objects of a kind as JSON. */
export async function objects<T = { metadata: { name: string, namespace?: string } }>(lab: Lab, kind: string): Promise<T[]> {
  return (JSON.parse(await kubectl(lab, ['get', kind, '-A', '-o', 'json'])) as { items: T[] }).items
}

export const git = (lab: Lab, ...args: string[]): Promise<string> => must('git', args, { cwd: lab.folder, env: lab.env })

export async function commitAll(lab: Lab, message: string, options: { allowEmpty?: boolean } = {}): Promise<void> {
  await git(lab, 'add', '-A')
  await git(lab, 'commit', '-q', '-m', message, ...(options.allowEmpty === true ? ['--allow-empty'] : []))
}

/** Replaces text in a file of the clone; the text must be there. */
export async function edit(lab: Lab, file: string, from: string | RegExp, to: string): Promise<void> {
  const target = path.join(lab.folder, file)
  const before = await readFile(target, 'utf8')
  const after = before.replace(from, to)
  if (after === before) throw new Error(`${file} does not hold ${String(from)}`)
  await writeFile(target, after)
}

/** Throws with the whole output when a run did not end as expected. */
export function expectCode(result: Run, code: number): void {
  if (result.code !== code) throw new Error(`exit ${result.code}, expected ${code}\n--- stdout\n${result.stdout}\n--- stderr\n${result.stderr}`)
}
