/** What tests of modes, reconciling and rotation share: reconcile runs, the cluster's certificates, golden texts. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import * as assert from 'uvu/assert'
import { say } from '../../tasks/lib/output.ts'
import { inRepository } from '../../tasks/lib/repository.ts'
import { instanceFolder } from '../../tasks/rehearsal/paths.ts'
import { type Lab, type Run, clusterEnv, commitAll, edit, expectCode, git, make, must, openLab, run } from './support.ts'

/** Seconds that a reconcile may take; a fault has to be told long before. */
export const TIMEOUT = 120

/** Opens a lab with the platform installed; its environment has the cluster's kubectl. */
export async function openInstalled(instance: string): Promise<Lab> {
  const lab = await openLab(instance)
  expectCode(await make(lab, 'install', { env: { TIMEOUT: '300' } }), 0)
  lab.env = { ...lab.env, ...await clusterEnv(lab), TIMEOUT: String(TIMEOUT) }
  return lab
}

export const kube = (lab: Lab, ...args: string[]): Promise<string> => must('kubectl', args, { env: lab.env })
export const kubeJson = async <T>(lab: Lab, ...args: string[]): Promise<T> => JSON.parse(await kube(lab, ...args, '-o', 'json')) as T

/** Says what a step took, on a line of its own in the test's output. */
export function tell(what: string, result: Run): Run {
  say(`  ${what}: ${result.seconds.toFixed(1)} s`)
  return result
}

/** Reconciles as a user does. @returns the run, which must end as expected: 0, or 2 from make whatever the task's own exit code is */
export async function reconcile(lab: Lab, what: string, options: { fails?: boolean, env?: NodeJS.ProcessEnv } = {}): Promise<Run> {
  const result = tell(what, await make(lab, 'flux-reconcile', options.env ? { env: options.env } : {}))
  expectCode(result, options.fails === true ? 2 : 0)
  assert.ok(result.seconds < TIMEOUT, 'a timeout was waited for')
  return result
}

/** Commits one edit. */
export async function commitEdit(lab: Lab, file: string, change: { from: string | RegExp, to: string }): Promise<void> {
  await edit(lab, file, change.from, change.to)
  await commitAll(lab, `test: ${file}`)
}

export const revert = (lab: Lab): Promise<string> => git(lab, 'revert', '--no-edit', 'HEAD')

/** @returns the text with what differs from run to run replaced: commits, durations, temporary folders, counts of restarts. */
function normalise(text: string): string {
  return text.replace(/\u001b\[[\d;?]*[A-Za-z]/g, '').replace(/\S*\/kustomization-\d+\//g, '<checkout>/').replace(/[0-9a-f]{40}|\b[0-9a-f]{12}\b/g, '<sha>')
    .replace(/\b\d+m\d\ds|\b\d+(\.\d+)?m?s\b/g, '<time>').replace(/Root CA [0-9a-f]{6}/g, 'Root CA <id>').replace(/-[0-9a-f]{8,10}-[a-z0-9]{5}\b/g, '-<pod>')
    .replace(/homelab-[\w-]*remote-\w+/g, '<remote>').replace(/\/tmp\/[\w/<>-]*<remote>/g, '<remote>').trimEnd()
}

/** @returns the closing error of a task: its last line that begins with ✗, and the indented ones below. */
export function errorOf(result: Run): string {
  const lines = result.stderr.split('\n').filter(line => !line.startsWith('make:'))
  return lines.slice(lines.findLastIndex(line => line.startsWith('✗ '))).join('\n')
}

/** @returns what a task says at its end: everything after its tree. */
export const closingOf = (result: Run): string => result.stderr.split('\n').filter(line => /^(✔ (Certificate|everything)|⚠|next:| {2}proved)/.test(line)).join('\n')

/** Compares with test/e2e/golden/NAME.txt; UPDATE_GOLDEN=1 writes it. */
export async function expectGolden(name: string, text: string): Promise<void> {
  const file = inRepository('test/e2e/golden', `${name}.txt`)
  const actual = `${normalise(text)}\n`
  if (process.env.UPDATE_GOLDEN === '1') {
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, actual)
  }
  assert.fixture(actual, await readFile(file, 'utf8'))
}

export interface Served { resourceVersion: string, serial: string, pem: string }

/** @returns the certificate in a Secret. */
export async function readServed(lab: Lab, namespace: string, name: string): Promise<Served> {
  const secret = await kubeJson<{ metadata: { resourceVersion: string }, data: Record<string, string> }>(lab, '-n', namespace, 'get', 'secret', name)
  const pem = Buffer.from(secret.data['tls.crt'] ?? '', 'base64').toString()
  return { resourceVersion: secret.metadata.resourceVersion, serial: await must('openssl', ['x509', '-noout', '-serial'], { input: pem }), pem }
}

/** Lets openssl verify a served chain against the root of each authority. @returns the issuers whose root it leads to */
export async function signersOf(lab: Lab, served: Served): Promise<string[]> {
  const chain = path.join(lab.folder, '.git', 'served.pem')
  await writeFile(chain, served.pem)
  const issuers = ['letsencrypt-staging', 'letsencrypt-prod']
  const results = await Promise.all(issuers.map(issuer => run('openssl', ['verify', '-CAfile', path.join(instanceFolder(lab.instance), 'authorities', `${issuer}.pem`), '-untrusted', chain, chain])))
  return issuers.filter((_, index) => results[index]?.code === 0)
}
