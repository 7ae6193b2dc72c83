/**
 * Plays kubelet for four Deployments: Flux's controllers and cert-manager's. Each runs as a local process with the Deployment's own arguments,
 * Flux's with their own ServiceAccounts' tokens, so that patched arguments and RBAC are really exercised.
 */
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Api, request } from '../lib/api.ts'
import { messageOf } from '../lib/errors.ts'
import { Deployment } from '../lib/resources.ts'
import { watch } from '../lib/watch.ts'
import { type Child, type ChildHooks, startChild } from './child.ts'
import { type DeploymentObject, processArgs, programOf, revisionOf, serviceAccountOf } from './container.ts'
import { type Place, NODE_NAME } from './control-plane.ts'
import { type Credentials, kubeconfigText, writePrivate } from './credentials.ts'

export interface RunnerOptions {
  place: Place
  api: Api
  hooks: ChildHooks
  credentials: Credentials
  signal: AbortSignal
}

const TOKEN_SECONDS = 10 * 365 * 24 * 3600
const RETRY_MS = 300

interface Slot {
  /** What runs or is being started. */
  revision: string | undefined
  child: Child | undefined
  /** Starts and stops of one controller happen one after the other. */
  work: Promise<void>
}

async function tokenFor(options: RunnerOptions, deployment: DeploymentObject): Promise<string> {
  const account = `/api/v1/namespaces/${deployment.metadata.namespace ?? ''}/serviceaccounts/${serviceAccountOf(deployment)}/token`
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: TOKEN_SECONDS } }
  const answer = await request<{ status?: { token?: string } }>(options.api, 'POST', account, { body })
  return answer.status?.token ?? ''
}

async function startController(options: RunnerOptions, deployment: DeploymentObject, program: string): Promise<Child> {
  const { place, credentials: { ca, certManagerToken } } = options
  const folder = path.join(place.folder, 'controllers', program)
  const token = program === 'cert-manager' ? certManagerToken : await tokenFor(options, deployment)
  // a new pod begins with empty volumes
  await rm(folder, { recursive: true, force: true })
  for (const part of ['tmp', 'data', 'home']) await mkdir(path.join(folder, part), { recursive: true, mode: 0o700 })
  const user = `${deployment.metadata.namespace ?? ''}-${serviceAccountOf(deployment)}`
  await writePrivate(path.join(folder, 'kubeconfig'), kubeconfigText({ context: NODE_NAME, server: `https://127.0.0.1:${place.ports.apiserver}`, ca, user, token }))
  const proxy = `http://127.0.0.1:${place.ports.internet}`
  return startChild({
    name: program, program: path.join(place.programs, program),
    args: processArgs(deployment, program, { folder, storagePort: place.ports.sourceStorage }),
    env: {
      PATH: `${place.programs}:${options.hooks.env.PATH ?? ''}`, HOME: path.join(folder, 'home'), TMPDIR: path.join(folder, 'tmp'),
      KUBECONFIG: path.join(folder, 'kubeconfig'), RUNTIME_NAMESPACE: deployment.metadata.namespace ?? '',
      HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: '127.0.0.1,localhost', SSL_CERT_FILE: path.join(place.folder, 'pki', 'ca.pem'),
    },
  }, options.hooks)
}

async function replace(options: RunnerOptions, slot: Slot, deployment: DeploymentObject | undefined, program: string): Promise<void> {
  const { log } = options.hooks
  if (slot.child !== undefined) {
    log(`${program}: its Deployment changed, ends`)
    await slot.child.stop()
    slot.child = undefined
  }
  const revision = slot.revision
  let said = ''
  while (deployment !== undefined && revision !== undefined && slot.revision === revision && !options.signal.aborted) {
    try {
      slot.child = await startController(options, deployment, program)
      return log(`${program}: started for Deployment ${deployment.metadata.namespace ?? ''}/${deployment.metadata.name}`)
    } catch (error) {
      if (messageOf(error) !== said) log(`${program}: cannot start yet: ${messageOf(error)}`)
      said = messageOf(error)
      await pause(RETRY_MS)
    }
  }
}

/** Runs until the signal. @returns a function that ends all controllers */
export function startControllerRunner(options: RunnerOptions): () => Promise<void> {
  const slots = new Map(Object.keys(programOf).map(key => [key, { revision: undefined, child: undefined, work: Promise.resolve() } as Slot]))
  const compare = () => {
    // while the API server cannot be reached, what runs keeps running
    if (!deployments.synced || options.signal.aborted) return
    for (const [key, slot] of slots) {
      const deployment = deployments.objects.get(key)
      const revision = revisionOf(deployment)
      if (revision === slot.revision) continue
      slot.revision = revision
      slot.work = slot.work.then(() => replace(options, slot, revision === undefined ? undefined : deployment, programOf[key] ?? ''))
    }
  }
  const deployments = watch<DeploymentObject>(options.api, Deployment, { signal: options.signal, onChange: compare })
  return async () => {
    await Promise.all([...slots.values()].map(async slot => {
      await slot.work
      await slot.child?.stop()
    }))
  }
}
