/** The platform with many apps and many services: how convergence, no-op commits and the task itself grow. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { stringify } from 'yaml'
import { request } from '../../tasks/lib/api.ts'
import { doing } from '../../tasks/lib/output.ts'
import { NODE_NAME } from '../../tasks/rehearsal/control-plane.ts'
import { type Lab, commitAll, edit, expectCode, git } from '../e2e/support.ts'
import type { Measured } from './cluster-run.ts'
import { type Cluster, headRevision, ready, startCluster, stopCluster, timed } from './lab.ts'
import { measureIdle, measureTask } from './usage.ts'

const APPS = [1, 10, 50, 200]
const SERVICES = [1, 5, 20]
const noOps = (): number => Number(process.env.BENCH_RUNS || 5)

/** The rehearsal's node is a small machine; these many pods need a larger one. */
const enlargeNode = ({ api }: Cluster): Promise<unknown> => request(api, 'PATCH', `/api/v1/nodes/${NODE_NAME}/status`, {
  contentType: 'application/merge-patch+json',
  body: { status: Object.fromEntries(['capacity', 'allocatable'].map(field => [field, { cpu: '64', memory: '256Gi', pods: '1000', 'ephemeral-storage': '1000Gi' }])) },
})

const overlay = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' }

async function write(lab: Lab, file: string, text: string): Promise<void> {
  const target = path.join(lab.folder, file)
  await mkdir(path.dirname(target), { recursive: true })
  await writeFile(target, text)
}

/** An app like the example: an overlay, a namespace and a Flux Kustomization of its own. */
async function addApp(lab: Lab, name: string): Promise<void> {
  const folder = `tenants/apps/bench/${name}`
  const host = `${name}.\${BASE_DOMAIN}`
  const replace = (kind: string, ...paths: string[]) => ({ target: { kind, name: 'example' }, patch: paths.map(place => `- {op: replace, path: ${place}, value: "${host}"}`).join('\n') })
  await write(lab, `${folder}/namespace.yaml`, stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  await write(lab, `${folder}/kustomization.yaml`, stringify({
    ...overlay, namespace: name, resources: ['namespace.yaml', '../../example/base'], components: ['../../example/components/issuers/letsencrypt-staging'],
    patches: [replace('Certificate', '/spec/dnsNames/0'), replace('Ingress', '/spec/rules/0/host', '/spec/tls/0/hosts/0')],
  }))
  const example = await readFile(path.join(lab.folder, 'clusters/home/app-example.yaml'), 'utf8')
  await write(lab, `clusters/home/bench/${name}.yaml`, example.replace('name: app-example', `name: ${name}`).replace(/path: .*/, `path: ./${folder}`))
}

/** Brings the number of apps up to `count`, the example among them. */
async function growApps(lab: Lab, count: number): Promise<void> {
  const names = Array.from({ length: count - 1 }, (_, index) => `bench-${index + 2}`)
  for (const name of names) await addApp(lab, name)
  if (names.length === 0) return
  const entry = 'clusters/home/kustomization.yaml'
  if (!(await readFile(path.join(lab.folder, entry), 'utf8')).includes('  - bench\n')) await edit(lab, entry, '  - app-example.yaml\n', '  - app-example.yaml\n  - bench\n')
  await write(lab, 'clusters/home/bench/kustomization.yaml', stringify({ ...overlay, resources: names.map(name => `${name}.yaml`) }))
}

/** Brings the number of copies of a small release up to `count`. */
async function growServices(lab: Lab, count: number): Promise<void> {
  const source = 'platform-services/otel/helmrelease-otel-cluster.yaml'
  const release = await readFile(path.join(lab.folder, source), 'utf8')
  const names = Array.from({ length: count - 1 }, (_, index) => `otel-bench-${index + 2}`)
  for (const name of names) await write(lab, `platform-services/otel/${name}.yaml`, release.replaceAll('otel-cluster', name))
  const entry = 'platform-services/otel/kustomization.yaml'
  const known = await readFile(path.join(lab.folder, entry), 'utf8')
  await write(lab, entry, `${known.replace(/ {2}- otel-bench-\d+\.yaml\n/g, '').trimEnd()}\n${names.map(name => `  - ${name}.yaml\n`).join('')}`)
}

/** Commits, and follows the task from the commit to everything Ready. */
async function step(lab: Lab, cluster: Cluster, name: string): Promise<Measured> {
  await commitAll(lab, 'bench: growth', { allowEmpty: true })
  const begin = Date.now()
  const revision = await headRevision(lab)
  const [usage, atReady] = await Promise.all([measureTask(lab, 'reconcile'), ready(cluster, revision)])
  expectCode(usage.result, 0)
  return { values: { [`${name}.ready`]: (atReady - begin) / 1000, [`${name}.task`]: usage.result.seconds, [`${name}.memory.mib`]: usage.memory, [`${name}.cpu.percent`]: usage.cpu } }
}

/** A pod that the quota refuses keeps the task waiting, after all other apps are done. */
async function idle(lab: Lab, cluster: Cluster, { name, apps }: { name: string, apps: number }): Promise<Measured> {
  const base = await git(lab, 'rev-parse', 'HEAD')
  await edit(lab, 'tenants/apps/example/components/environments/staging/kustomization.yaml', 'patches:\n',
    'patches:\n  - target:\n      kind: Deployment\n    patch: |\n      - {op: replace, path: /spec/template/spec/containers/0/resources/requests/cpu, value: "900m"}\n      - {op: replace, path: /spec/replicas, value: 2}\n')
  await commitAll(lab, 'bench: a pod that the quota refuses')
  const { streams, kinds, cpu, memory } = await measureIdle(lab, cluster, 12_000 + apps * 1000)
  await git(lab, 'reset', '-q', '--hard', base)
  return { values: { [`${name}.idle.streams`]: streams, [`${name}.idle.kinds`]: kinds, [`${name}.idle.cpu.percent`]: cpu, [`${name}.idle.memory.mib`]: memory } }
}

async function* grow(lab: Lab, options: { what: string, sizes: number[], add: (lab: Lab, count: number) => Promise<void> }): AsyncGenerator<Measured> {
  const base = await git(lab, 'rev-parse', 'HEAD')
  const { cluster } = await startCluster(lab)
  try {
    await enlargeNode(cluster)
    await timed(lab, 'install')
    for (const size of options.sizes) {
      doing(`h  ${size} ${options.what}`)
      const name = `${options.what}.${size}`
      await options.add(lab, size)
      if (size > 1) yield await step(lab, cluster, `${name}.added`)
      for (let count = 0; count < noOps(); count += 1) yield await step(lab, cluster, `${name}.noop`)
      if (options.what === 'apps' && (size === 1 || size === options.sizes.at(-1))) yield await idle(lab, cluster, { name, apps: size })
    }
  } finally {
    await stopCluster(lab, cluster)
    await git(lab, 'reset', '-q', '--hard', base)
  }
}

export async function* growthRun(lab: Lab): AsyncGenerator<Measured> {
  yield* grow(lab, { what: 'apps', sizes: APPS, add: growApps })
  yield* grow(lab, { what: 'services', sizes: SERVICES, add: growServices })
}

