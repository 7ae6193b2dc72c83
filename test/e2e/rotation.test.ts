/** A changed secret rolls the pods that use it, and no other: told by pod template hashes. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { KubeObject } from '../../tasks/lib/objects.ts'
import { type Lab, closeLab, expectCode, make } from './support.ts'
import { kubeJson, openInstalled, reconcile, tell } from './support-reconcile.ts'

const test = suite('rotation')
let lab: Lab

/** @returns for each workload with running pods the hashes of its pod template. */
async function templateHashes(): Promise<Map<string, string>> {
  const { items } = await kubeJson<{ items: KubeObject[] }>(lab, 'get', 'pods', '-A')
  const hashes = new Map<string, Set<string>>()
  for (const { metadata } of items.filter(pod => pod.metadata.deletionTimestamp === undefined)) {
    const owner = metadata.ownerReferences?.[0]
    const hash = metadata.labels?.['pod-template-hash'] ?? metadata.labels?.['controller-revision-hash']
    if (owner === undefined || hash === undefined || owner.kind === 'Job') continue
    const workload = `${metadata.namespace}/${owner.kind === 'ReplicaSet' ? owner.name.slice(0, owner.name.lastIndexOf('-')) : owner.name}`
    hashes.set(workload, (hashes.get(workload) ?? new Set()).add(hash))
  }
  return new Map([...hashes].map(([workload, found]) => [workload, [...found].sort().join(' ')]))
}

const rolledSince = (before: Map<string, string>, after: Map<string, string>): string[] => [...after].filter(([workload, hash]) => before.get(workload) !== hash).map(([workload]) => workload).sort()

/** Waits until exactly these workloads have another template than before, and no pod has the old one. */
async function expectRolled(before: Map<string, string>, wanted: string[]): Promise<void> {
  const end = Date.now() + 60_000
  let after = await templateHashes()
  const settled = () => [...after.values()].every(hash => !hash.includes(' ')) && wanted.every(workload => before.get(workload) !== after.get(workload))
  while (!settled() && Date.now() < end) {
    await new Promise(resolve => setTimeout(resolve, 250))
    after = await templateHashes()
  }
  assert.equal(rolledSince(before, after), wanted)
  assert.equal([...after.keys()].sort(), [...before.keys()].sort())
}

const consumers = {
  OAUTH2_PROXY_CLIENT_SECRET: ['oauth2-proxy/oauth2-proxy'],
  OTLP_AUTH_TOKEN: ['observability/clickstack-app', 'observability/clickstack-otel-collector', 'observability/otel-cluster', 'observability/otel-node-agent'],
}
const given: Record<string, string> = { OAUTH2_PROXY_CLIENT_SECRET: 'First0Secret5b1e7a90', OTLP_AUTH_TOKEN: 'First0Token9d3a7f52e8b1' }
const writeEnv = (): Promise<void> => writeFile(path.join(lab.folder, '.env'), Object.entries(given).map(([key, value]) => `${key}=${value}\n`).join(''), { mode: 0o600 })

test.before(async () => {
  lab = await openInstalled('e2e-rotation')
  await writeEnv()
  expectCode(await make(lab, 'secrets-sync'), 0)
  await reconcile(lab, 'first values')
})
test.after(async () => { await closeLab(lab) })

for (const [key, workloads] of Object.entries(consumers)) {
  test(`${key} rolls ${workloads.length} workloads and no other`, async () => {
    const before = await templateHashes()
    assert.ok(before.size > workloads.length + 3, `${before.size} workloads`)
    for (const workload of workloads) assert.ok(before.has(workload), workload)
    given[key] = 'Rotated0Value8c5d2e91b7f4'
    await writeEnv()
    const started = Date.now()
    expectCode(tell(`secrets-sync with another ${key}`, await make(lab, 'secrets-sync')), 0)
    await expectRolled(before, workloads)
    tell('until all its pods are new', { code: 0, stdout: '', stderr: '', seconds: (Date.now() - started) / 1000 })
  })
}

test('the same values again roll nothing', async () => {
  const before = await templateHashes()
  const result = await make(lab, 'secrets-sync')
  expectCode(result, 0)
  assert.match(result.stderr, 'already in sync')
  await reconcile(lab, 'nothing new')
  assert.equal(rolledSince(before, await templateHashes()), [])
})

test('flux-reconcile syncs a changed .env first, and follows the roll to its end', async () => {
  const before = await templateHashes()
  given.OAUTH2_PROXY_CLIENT_SECRET = 'Again0Rotated3f8a1c6d'
  await writeEnv()
  const result = await reconcile(lab, 'with a changed .env')
  assert.match(result.stderr, 'runtime inputs differ from .env, syncing them first')
  assert.equal(rolledSince(before, await templateHashes()), ['oauth2-proxy/oauth2-proxy'])
})

test.run()
