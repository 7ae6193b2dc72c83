/** Certificates, tokens and kubeconfigs of an instance: made once at its first start, readable by their owner only. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import type { Place } from './control-plane.ts'

const run = promisify(execFile)

export interface Credentials {
  /** PEM of the instance's own certificate authority. */
  ca: string
  /** For the supervisor's own requests. */
  token: string
  /** For cert-manager's controllers: the stand-in chart has no more than a token RBAC. */
  certManagerToken: string
}

interface KubeconfigInput { context: string, server: string, ca: string, user: string, token: string }

/** @returns the text of a kubeconfig with one context, whose API server is known by its authority. */
export function kubeconfigText(input: KubeconfigInput): string {
  return stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': input.context,
    clusters: [{ name: input.context, cluster: { server: input.server, 'certificate-authority-data': Buffer.from(input.ca).toString('base64') } }],
    users: [{ name: input.user, user: { token: input.token } }],
    contexts: [{ name: input.context, context: { cluster: input.context, user: input.user } }],
  }, { lineWidth: 0 })
}

/** Writes a file that only its owner reads. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 })
}

async function makePki(place: Place): Promise<void> {
  const folder = path.join(place.folder, 'pki')
  if (existsSync(path.join(folder, 'tokens.csv'))) return
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await run(path.join(place.programs, 'pki'), [
    folder, 'etcd', 'apiserver:kubernetes,kubernetes.default,kubernetes.default.svc', 'service-account',
    'acme-staging:acme-staging.rehearsal.internal', 'acme-prod:acme-prod.rehearsal.internal',
  ])
  const line = (user: string) => `${randomBytes(24).toString('hex')},${user},${user},system:masters`
  await writePrivate(path.join(folder, 'tokens.csv'), ['admin', 'rehearsal-control-plane', 'rehearsal-cert-manager'].map(user => `${line(user)}\n`).join(''))
}

// ACME servers listen on loopback behind the internet stand-in, which gives them their names
async function writePebbleConfig(place: Place, name: 'acme-staging' | 'acme-prod'): Promise<void> {
  const ports = name === 'acme-staging' ? [place.ports.acmeStaging, place.ports.acmeStagingManagement] : [place.ports.acmeProd, place.ports.acmeProdManagement]
  const pebble = {
    listenAddress: `127.0.0.1:${ports[0]}`, managementListenAddress: `127.0.0.1:${ports[1]}`,
    certificate: path.join(place.folder, 'pki', `${name}.pem`), privateKey: path.join(place.folder, 'pki', `${name}-key.pem`),
    httpPort: 80, tlsPort: 443, keyAlgorithm: 'ecdsa', retryAfter: { authz: 1, order: 1 },
  }
  await writePrivate(path.join(place.folder, `${name}.json`), JSON.stringify({ pebble }))
}

/** Makes what is missing and writes the kubeconfigs for the ports of this start. */
export async function prepareCredentials(place: Place, name: string): Promise<Credentials> {
  await makePki(place)
  const ca = await readFile(path.join(place.folder, 'pki', 'ca.pem'), 'utf8')
  const tokens = (await readFile(path.join(place.folder, 'pki', 'tokens.csv'), 'utf8')).split('\n').map(line => line.split(',')[0] ?? '')
  const server = `https://127.0.0.1:${place.ports.apiserver}`
  const [admin = '', own = '', certManagerToken = ''] = tokens
  const context = `rehearsal-${name}`
  await Promise.all([
    writePrivate(path.join(place.folder, 'kubeconfig'), kubeconfigText({ context, server, ca, user: `${context}-admin`, token: admin })),
    writePrivate(path.join(place.folder, 'control-plane.kubeconfig'), kubeconfigText({ context, server, ca, user: 'control-plane', token: own })),
    writePebbleConfig(place, 'acme-staging'), writePebbleConfig(place, 'acme-prod'),
  ])
  return { ca, token: own, certManagerToken }
}
