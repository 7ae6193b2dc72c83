/** What the cluster holds before anybody installs anything: a simulated node and a default StorageClass, as on a fresh k3s. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Api, apply, get, ifFound, request } from '../lib/api.ts'
import { messageOf } from '../lib/errors.ts'
import { type KubeObject, conditionOf } from '../lib/objects.ts'
import type { Resource } from '../lib/resources.ts'
import { NODE_NAME } from './control-plane.ts'

const Node: Resource = { kind: 'Node', apiVersion: 'v1', plural: 'nodes', namespaced: false }
const ServiceAccount: Resource = { kind: 'ServiceAccount', apiVersion: 'v1', plural: 'serviceaccounts', namespaced: true }
const StorageClass: Resource = { kind: 'StorageClass', apiVersion: 'storage.k8s.io/v1', plural: 'storageclasses', namespaced: false }

/** The provisioner of k3s; volumes.ts stands in for it. */
export const PROVISIONER = 'rancher.io/local-path'

const POLL_MS = 50

// one small machine: what does not fit it stays Pending here too
const resources = { cpu: '4', memory: '8Gi', pods: '110', 'ephemeral-storage': '100Gi' }
const node = {
  apiVersion: 'v1', kind: 'Node',
  metadata: {
    name: NODE_NAME, annotations: { 'kwok.x-k8s.io/node': 'fake' },
    labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', 'kubernetes.io/hostname': NODE_NAME },
  },
  status: { allocatable: resources, capacity: resources },
}

const storageClass = {
  apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass',
  metadata: { name: 'local-path', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: PROVISIONER, reclaimPolicy: 'Delete', volumeBindingMode: 'WaitForFirstConsumer',
}

/** Asks until `check` gives true; errors count as no. @throws the last error's words after `patience` milliseconds */
async function until(what: string, patience: number, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + patience
  let words = ''
  while (Date.now() < deadline) {
    try {
      if (await check()) return
    } catch (error) {
      words = messageOf(error)
    }
    await pause(POLL_MS)
  }
  throw new Error(`${what} after ${patience / 1000} s${words === '' ? '' : `: ${words}`}`)
}

/** Waits for an API server that serves and has made its own roles. */
export async function waitForApi(api: Api): Promise<void> {
  const ready = async () => {
    await request(api, 'GET', '/readyz?verbose=false')
    return true
  }
  await until('kube-apiserver is not ready', 60_000, async () => {
    try {
      return await ready()
    } catch (error) {
      // readyz answers with a plain word
      if (error instanceof SyntaxError) return true
      throw error
    }
  })
}

/** Creates the node and the StorageClass where they are missing. */
export async function createBasics(api: Api): Promise<void> {
  if (await get(api, Node, { name: NODE_NAME }) === undefined) await request(api, 'POST', '/api/v1/nodes', { body: node })
  await apply(api, StorageClass, storageClass as KubeObject)
}

/** Waits until pods can run: the node is Ready and the default namespace has its service account. */
export async function waitForUse(api: Api): Promise<void> {
  await until('the cluster cannot run pods', 60_000, async () => {
    const found = await get(api, Node, { name: NODE_NAME })
    if (found === undefined || conditionOf(found, 'Ready')?.status !== 'True') return false
    const tainted = (found.spec as { taints?: unknown[] } | undefined)?.taints !== undefined
    const account = await ifFound(() => get(api, ServiceAccount, { namespace: 'default', name: 'default' }))
    return !tainted && account !== undefined
  })
}
