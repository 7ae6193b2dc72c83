/** Owns kubectl: every call of it, and the proxy through which tasks reach the API server with kubectl's own credentials. */
import { spawn } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { childEnvironment } from './child-environment.ts'
import { failure, hasCode, refusal } from './errors.ts'
import { onTaskEnd } from './task.ts'

/** How to call kubectl for one cluster. */
export interface KubectlAccess {
  /** The program: `kubectl` on PATH, or the rehearsal's own. */
  program: string
  context: string
  /** Extra environment: KUBECONFIG of the rehearsal, its proxy. */
  env: Record<string, string>
}

interface KubectlResult { code: number, stdout: string, stderr: string }

const noKubectl = () => refusal('kubectl is not installed', {
  why: 'a named KUBE_CONTEXT is reached through the kubectl on PATH',
  fix: 'install kubectl ≥ 1.33 (https://kubernetes.io/docs/tasks/tools/), or leave KUBE_CONTEXT empty for the rehearsal cluster',
})

/**
 * Runs kubectl without judging its exit code.
 * @param options.input sent on stdin: secrets go here, never in args
 */
export function tryKubectl(access: KubectlAccess, args: string[], options: { input?: string, withContext?: boolean } = {}): Promise<KubectlResult> {
  const all = options.withContext === false ? args : ['--context', access.context, ...args]
  return new Promise((resolve, reject) => {
    const child = spawn(access.program, all, { env: childEnvironment(access.env) })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => { stdout += chunk })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => { stderr += chunk })
    child.on('error', error => reject(hasCode(error, 'ENOENT') ? noKubectl() : error))
    child.on('close', code => resolve({ code: code ?? 1, stdout, stderr }))
    child.stdin.on('error', error => hasCode(error, 'EPIPE') ? undefined : reject(error))
    child.stdin.end(options.input ?? '')
  })
}

/** Builds an overlay as Flux's root does. @returns its YAML. @throws when it does not build, with Kustomize's words. */
export async function buildOverlay(access: KubectlAccess, folder: string): Promise<string> {
  // the settings file lies beside flux-system, outside its folder
  const result = await tryKubectl(access, ['kustomize', '--load-restrictor', 'LoadRestrictionsNone', folder], { withContext: false })
  if (result.code === 0) return result.stdout
  throw failure('the overlay does not build', { where: path.relative(process.cwd(), folder), why: result.stderr.trim(), fix: `kubectl kustomize --load-restrictor LoadRestrictionsNone ${path.relative(process.cwd(), folder)}` })
}

/** @returns the context's API server URL. @throws when the kubeconfig has no such context. */
export async function serverOf(access: KubectlAccess): Promise<string> {
  const result = await tryKubectl(access, ['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'])
  if (result.code === 0 && result.stdout !== '') return result.stdout
  const known = await tryKubectl(access, ['config', 'get-contexts', '-o', 'name'], { withContext: false })
  const names = known.stdout.trim().split('\n').filter(name => name !== '')
  throw refusal(`the kubeconfig has no context ${access.context}`, {
    where: process.env.KUBECONFIG ?? '~/.kube/config',
    why: names.length > 0 ? `it has: ${names.join(', ')}` : result.stderr.trim() || 'it has no context at all',
    fix: 'correct KUBE_CONTEXT in .env, or leave it empty for the rehearsal cluster',
  })
}

// The proxy ends with the standard input of its shell, which closes when the task ends in whatever way: SIGKILL leaves no time to clean up.
const WITH_TASK = 'exec 3<&0; "$@" 3<&- </dev/null & proxy=$!; { cat <&3; kill $proxy; } >/dev/null 2>&1 & exec 3<&-; wait $proxy; rm -rf "$HOMELAB_PROXY_FOLDER"'

/**
 * Starts `kubectl proxy` on a Unix socket in a private folder: credentials stay with kubectl, and nobody else on the machine can use it.
 * Ends with the task.
 * @returns the socket's path once it listens
 */
export async function startProxy(access: KubectlAccess): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'homelab-'))
  const socket = path.join(folder, 'api.sock')
  // its own session: Ctrl-C at the terminal must not end it before the task has cleaned up
  const child = spawn('/bin/sh', ['-c', WITH_TASK, 'sh', access.program, '--context', access.context, 'proxy', `--unix-socket=${socket}`], {
    env: childEnvironment({ ...access.env, HOMELAB_PROXY_FOLDER: folder }), stdio: ['pipe', 'pipe', 'pipe'], detached: true,
  })
  onTaskEnd(() => { child.stdin.end() })
  return new Promise((resolve, reject) => {
    let words = ''
    child.on('error', error => reject(hasCode(error, 'ENOENT') ? noKubectl() : error))
    child.stderr.on('data', chunk => { words += String(chunk) })
    child.on('exit', () => reject(failure('kubectl proxy ended', { where: `context ${access.context}`, why: words.trim() })))
    child.stdout.once('data', () => resolve(socket))
  })
}
