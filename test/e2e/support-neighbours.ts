/** What somebody else has in the cluster before the platform comes, and looks at it: it must survive whatever the platform does. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Lab, clusterEnv, kubectl, must } from './support.ts'

const NAMESPACE = 'neighbour'
/** A namespace that the platform uses as well. */
export const SHARED_NAMESPACE = 'traefik'
/** A definition that Traefik's chart brings as well. */
const SHARED_DEFINITION = 'middlewares.traefik.io'

function definition(group: string, kind: string): object {
  const plural = `${kind.toLowerCase()}s`
  const schema = { openAPIV3Schema: { 'type': 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}` },
    spec: { group, names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() }, scope: 'Namespaced', versions: [{ name: 'v1alpha1', served: true, storage: true, schema }] },
  }
}

const configMap = (namespace: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs', namespace }, data: { word: 'do not touch' } })
const definitions = [definition('neighbour.example.com', 'Widget'), definition('traefik.io', 'Middleware')]
const objects = [
  ...[NAMESPACE, SHARED_NAMESPACE].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { team: 'neighbours' } } })),
  ...[NAMESPACE, SHARED_NAMESPACE].map(configMap),
  { apiVersion: 'neighbour.example.com/v1alpha1', kind: 'Widget', metadata: { name: 'theirs', namespace: NAMESPACE }, spec: { size: 3 } },
  { apiVersion: 'traefik.io/v1alpha1', kind: 'Middleware', metadata: { name: 'theirs', namespace: NAMESPACE }, spec: { compress: {} } },
]

const listOf = (items: object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })

async function installChart(lab: Lab): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'homelab-chart-'))
  await writeFile(path.join(folder, 'Chart.yaml'), 'apiVersion: v2\nname: theirs\nversion: 1.0.0\n')
  await must('mkdir', [path.join(folder, 'templates')])
  await writeFile(path.join(folder, 'templates', 'configmap.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-chart\ndata:\n  word: theirs\n')
  await must('helm', ['upgrade', '--install', 'theirs', folder, '--namespace', NAMESPACE], { env: await clusterEnv(lab) })
  await rm(folder, { recursive: true, force: true })
}

/** Makes the neighbours as their owner would, with kubectl and helm. */
export async function settleNeighbours(lab: Lab): Promise<void> {
  await kubectl(lab, ['apply', '-f', '-'], { input: listOf(definitions) })
  await kubectl(lab, ['wait', '--for=condition=Established', 'crd/widgets.neighbour.example.com', `crd/${SHARED_DEFINITION}`])
  await kubectl(lab, ['apply', '-f', '-'], { input: listOf(objects) })
  await installChart(lab)
}

interface Read { items: { kind: string, metadata: { name: string, uid: string, labels?: Record<string, string>, annotations?: Record<string, string> }, data?: unknown, spec?: unknown }[] }

/** @returns everything about the neighbours that must not change: identity, labels, annotations, content. */
export async function lookAtNeighbours(lab: Lab): Promise<unknown[]> {
  const read = async (...args: string[]) => (JSON.parse(await kubectl(lab, ['get', ...args, '-o', 'json'])) as Read).items
  const items = [
    ...await read('namespace', NAMESPACE, SHARED_NAMESPACE), ...await read('configmaps', 'theirs', 'theirs-chart', '-n', NAMESPACE), ...await read('configmaps', '-n', SHARED_NAMESPACE, '--field-selector=metadata.name=theirs'),
    ...await read('widgets.neighbour.example.com,middlewares.traefik.io,secrets', '-n', NAMESPACE),
  ]
  const identities = (await read('crd', 'widgets.neighbour.example.com', SHARED_DEFINITION)).map(({ kind, metadata: { name, uid } }) => ({ kind, name, uid }))
  return [...items.map(({ kind, metadata: { name, uid, labels, annotations }, data, spec }) => ({ kind, name, uid, labels, annotations, data, spec })), ...identities]
}
