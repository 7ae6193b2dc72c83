/** The rehearsal cluster given by KUBE_CONTEXT as if it were a stranger's: Git must be pushed, secrets are never made up. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { KubeObject } from '../../tasks/lib/objects.ts'
import { type Lab, clusterEnv, closeLab, commitAll, expectCode, git, kubectl, make, must, objects, openLab } from './support.ts'

const test = suite('named context')
const context = { KUBE_CONTEXT: 'rehearsal-e2e-named' }
const given = { OAUTH2_PROXY_CLIENT_ID: 'homelab-client', OAUTH2_PROXY_CLIENT_SECRET: 'Given0Secret7c1b5e' }
let lab: Lab
let remote = ''

const readyLayers = async (): Promise<string[]> => (await objects<KubeObject>(lab, 'kustomizations.kustomize.toolkit.fluxcd.io'))
  .filter(layer => layer.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True')).map(layer => layer.metadata.name).sort()

test.before(async () => {
  lab = await openLab('e2e-named')
  remote = await mkdtemp(path.join(tmpdir(), 'homelab-remote-'))
  await must('git', ['init', '-q', '--bare', '-b', 'main', remote])
  await git(lab, 'remote', 'remove', 'origin')
  expectCode(await make(lab, 'rehearsal-up'), 0)
  lab.env = { ...lab.env, ...await clusterEnv(lab) }
})
test.after(async () => {
  await closeLab(lab)
  await rm(remote, { recursive: true, force: true })
})

test('refuses without a Git remote', async () => {
  const result = await make(lab, 'install', { env: context })
  assert.match(result.stderr, '✗ the repository has no Git remote')
  assert.match(result.stderr, 'git remote add origin')
  assert.match(result.stderr, 'Error 2')
})

test('refuses while HEAD is not pushed, says what to push, and touches nothing', async () => {
  await git(lab, 'remote', 'add', 'origin', remote)
  await git(lab, 'push', '-q', 'origin', 'main')
  await commitAll(lab, 'test: not pushed', { allowEmpty: true })
  const result = await make(lab, 'install', { env: context })
  assert.match(result.stderr, '✗ HEAD is not pushed')
  assert.match(result.stderr, 'git push origin HEAD:main')
  const namespaces = await objects(lab, 'namespaces')
  assert.not.ok(namespaces.some(one => one.metadata.name === 'flux-system'))
})

test('refuses a detached HEAD', async () => {
  await git(lab, 'push', '-q', 'origin', 'main')
  await git(lab, 'checkout', '-q', '--detach')
  const result = await make(lab, 'install', { env: context })
  await git(lab, 'switch', '-q', 'main')
  assert.match(result.stderr, '✗ HEAD is detached')
})

test('refuses an unknown context and names those that there are', async () => {
  const result = await make(lab, 'install', { env: { KUBE_CONTEXT: 'nowhere' } })
  assert.match(result.stderr, 'no context nowhere')
  assert.match(result.stderr, 'rehearsal-e2e-named')
  assert.match(result.stderr, 'Error 2')
})

test('without secrets infrastructure and tenants become Ready, and the missing keys are named', async () => {
  const result = await make(lab, 'install', { env: context })
  assert.match(result.stderr, 'Error 1')
  assert.match(result.stderr, 'OAUTH2_PROXY_CLIENT_ID is missing')
  assert.match(result.stderr, 'OAUTH2_PROXY_CLIENT_SECRET')
  assert.match(result.stderr, 'make secrets-sync')
  const ready = await readyLayers()
  for (const layer of ['home', 'infrastructure-controllers', 'infrastructure-issuers', 'tenants', 'app-example']) assert.ok(ready.includes(layer), layer)
  assert.not.ok(ready.includes('platform-services'))
})

test('secrets-sync and flux-reconcile bring the rest', async () => {
  expectCode(await make(lab, 'secrets-sync', { env: { ...context, ...given } }), 0)
  expectCode(await make(lab, 'flux-reconcile', { env: { ...context, ...given } }), 0)
  expectCode(await make(lab, 'verify', { env: context }), 0)
})

test('a key removed from the source Secret leaves infrastructure, tenants and app Ready', async () => {
  await kubectl(lab, ['-n', 'flux-system', 'patch', 'secret', 'platform-runtime-inputs', '--type=json', '-p', '[{"op":"remove","path":"/data/OAUTH2_PROXY_CLIENT_SECRET"}]'])
  const end = Date.now() + 60_000
  while ((await readyLayers()).includes('runtime-inputs')) {
    assert.ok(Date.now() < end, 'runtime-inputs stayed Ready')
    await new Promise(resolve => setTimeout(resolve, 500))
  }
  const ready = await readyLayers()
  for (const layer of ['infrastructure-controllers', 'infrastructure-issuers', 'tenants', 'app-example']) assert.ok(ready.includes(layer), layer)
  const verify = await make(lab, 'verify', { env: context })
  assert.match(verify.stderr, 'OAUTH2_PROXY_CLIENT_SECRET is missing')
})

test.run()
