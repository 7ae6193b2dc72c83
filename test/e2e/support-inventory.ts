/** Everything that a cluster holds, by discovery: all API resources, all namespaces, kinds and names. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Api, connectApi, ifFound, request } from '../../tasks/lib/api.ts'
import type { KubeList, KubeObject } from '../../tasks/lib/objects.ts'
import { type Lab, clusterEnv, environment } from './support.ts'

interface ResourceList { resources: { name: string, kind: string, namespaced: boolean, verbs: string[] }[] }

/**
 * What comes and goes by itself on an idle cluster, and nothing else: events, heartbeats, addresses and their slices (named at random,
 * owned by Services that are compared), what is computed on reading, and the kubelet's view of nodes.
 */
const volatile = ['Event', 'Lease', 'EndpointSlice', 'Endpoints', 'IPAddress', 'ComponentStatus', 'NodeMetrics', 'PodMetrics', 'CSINode', 'ControllerRevision']

/** Opens an API connection for a test's own looks at the cluster. */
export async function openApi(lab: Lab): Promise<{ api: Api, close: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'homelab-test-'))
  const socket = path.join(folder, 'api.sock')
  const proxy = spawn('kubectl', ['proxy', `--unix-socket=${socket}`], { env: { ...environment, ...await clusterEnv(lab) }, stdio: ['ignore', 'pipe', 'ignore'] })
  await new Promise(resolve => proxy.stdout.once('data', resolve))
  return {
    api: connectApi(socket),
    close: async () => {
      proxy.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function groupVersions(api: Api): Promise<string[]> {
  const { groups } = await request<{ groups: { preferredVersion: { groupVersion: string } }[] }>(api, 'GET', '/apis')
  return ['/api/v1', ...groups.map(group => `/apis/${group.preferredVersion.groupVersion}`)]
}

const PARTIAL = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'

async function listKind(api: Api, root: string, kind: ResourceList['resources'][number]): Promise<string[]> {
  const found = await ifFound(() => request<KubeList<KubeObject>>(api, 'GET', `${root}/${kind.name}`, { accept: PARTIAL }))
  return (found?.items ?? []).map(object => normalise(kind.kind, object))
}

/** Names that a controller makes up lose what is random in them. */
function normalise(kind: string, { metadata: { name, namespace = '', ownerReferences = [] } }: KubeObject): string {
  const owner = ownerReferences[0]?.kind
  const random = (kind === 'Pod' && owner !== 'StatefulSet') || kind === 'ReplicaSet'
  const plain = random ? `${(ownerReferences[0]?.name ?? name).replace(/-[a-z0-9]{8,10}$/, '')}-*`
    : kind === 'PersistentVolume' ? 'pvc-*'
      : kind === 'Order' || kind === 'Challenge' ? name.replace(/(-\d+){1,}$/, '-*') : name
  return `${kind}/${namespace}/${plain}`
}

/** @returns `Kind/namespace/name` of every object, sorted; as many times as there are. */
export async function takeFullInventory(api: Api): Promise<string[]> {
  const lists = await Promise.all((await groupVersions(api)).map(async root => {
    const served = await ifFound(() => request<ResourceList>(api, 'GET', root))
    const kinds = (served?.resources ?? []).filter(one => one.verbs.includes('list') && !one.name.includes('/') && !volatile.includes(one.kind))
    return Promise.all(kinds.map(kind => listKind(api, root, kind)))
  }))
  return lists.flat(2).sort()
}

/** @returns lines that tell two inventories apart; none when they are equal. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const line of after) counts.set(line, (counts.get(line) ?? 0) + 1)
  for (const line of before) counts.set(line, (counts.get(line) ?? 0) - 1)
  return [...counts].filter(([, count]) => count !== 0).map(([line, count]) => `${count > 0 ? '+' : '-'} ${line}`).sort()
}
