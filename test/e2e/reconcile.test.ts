/** `make flux-reconcile`: broken commits and their fixes, what stands in the way, what happens meanwhile. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { instanceFolder } from '../../tasks/rehearsal/paths.ts'
import { type Lab, closeLab, commitAll, expectCode, git, make, makeOnTerminal, must, run } from './support.ts'
import { makeStruck } from './support-faults.ts'
import { closingOf, commitEdit, errorOf, expectGolden, kube, openInstalled, reconcile, revert, tell } from './support-reconcile.ts'

const test = suite('reconcile')
const context = { KUBE_CONTEXT: 'rehearsal-e2e-reconcile' }
const deployment = 'tenants/apps/example/base/deployment.yaml'
let lab: Lab
let remote = ''

test.before(async () => {
  lab = await openInstalled('e2e-reconcile')
  remote = await mkdtemp(path.join(tmpdir(), 'homelab-e2e-remote-'))
  await must('git', ['init', '-q', '--bare', '-b', 'main', remote])
  await git(lab, 'remote', 'set-url', 'origin', remote)
  await git(lab, 'push', '-q', 'origin', 'main')
})
test.after(async () => {
  await closeLab(lab)
  await rm(remote, { recursive: true, force: true })
})

test('a commit that changes nothing is applied everywhere', async () => {
  await commitAll(lab, 'test: nothing', { allowEmpty: true })
  const result = await reconcile(lab, 'no-op commit')
  assert.match(closingOf(result), `everything is at main@sha1:${(await git(lab, 'rev-parse', 'HEAD')).slice(0, 12)}`)
})

const broken: [string, { file: string, from: string | RegExp, to: string }][] = [
  ['chart-version-oci', { file: 'platform-services/oauth2-proxy/ocirepository.yaml', from: /tag: .*/, to: 'tag: 9.9.9' }],
  ['chart-version-helm', { file: 'platform-services/clickstack/helmrelease.yaml', from: /version: .*/, to: 'version: 9.9.9' }],
  ['variable-unset', { file: 'platform-services/oauth2-proxy/helmrelease.yaml', from: '${OIDC_ISSUER_URL}', to: '${OIDC_NOWHERE}' }],
  ['manifest-invalid', { file: deployment, from: 'replicas: 1', to: 'replicas: -1' }],
  ['overlay-missing', { file: 'clusters/home/app-example.yaml', from: /path: .*/, to: 'path: ./tenants/apps/example/overlays/nowhere' }],
  ['yaml-broken', { file: deployment, from: 'replicas: 1', to: 'replicas: [1' }],
]
for (const [name, { file, ...change }] of broken) {
  test(`${name}: told with its file and cause, and the fix goes through`, async () => {
    await commitEdit(lab, file, change)
    const result = await reconcile(lab, `${name}: to its cause`, { fails: true })
    assert.match(result.stderr, 'Error 1')
    await expectGolden(`broken-${name}`, errorOf(result))
    await revert(lab)
    await reconcile(lab, `${name}: its fix`)
  })
}

test('an app that never gets Ready is told in its pod\'s words, and its fix waits for no old health check', async () => {
  await commitEdit(lab, deployment, { from: '    spec:\n', to: '    spec:\n      nodeSelector: {disk: none-has-this}\n' })
  const result = tell('until TIMEOUT=25', await make(lab, 'flux-reconcile', { env: { TIMEOUT: '25' } }))
  expectCode(result, 2)
  await expectGolden('never-ready', errorOf(result))
  await revert(lab)
  await reconcile(lab, 'its fix')
})

test('a suspended layer is told with the command that resumes it', async () => {
  // as the flux CLI does it: what kubectl sets, the root takes back with the next commit
  await kube(lab, '-n', 'flux-system', 'patch', 'kustomization', 'tenants', '--field-manager=flux', '--type=merge', '-p', '{"spec":{"suspend":true}}')
  await commitAll(lab, 'test: while suspended', { allowEmpty: true })
  const error = errorOf(await reconcile(lab, 'suspended', { fails: true }))
  await expectGolden('suspended', error)
  const fix = /fix {4}(kubectl .*), then/.exec(error)?.[1] ?? ''
  await must('sh', ['-c', fix], { env: lab.env })
  await reconcile(lab, 'resumed')
})

test('two at once do not disturb each other', async () => {
  await commitAll(lab, 'test: two at once', { allowEmpty: true })
  await Promise.all([reconcile(lab, 'one'), reconcile(lab, 'the other')])
})

test('a push meanwhile is noticed and said', async () => {
  await commitAll(lab, 'test: first', { allowEmpty: true })
  let pushed: Promise<unknown> | undefined
  const result = tell('with a push meanwhile', await make(lab, 'flux-reconcile', { onStart: child => child.stderr?.on('data', (chunk: string) => {
    if (!chunk.includes('► reconciling') || pushed !== undefined) return
    pushed = (async () => {
      const commit = await git(lab, 'commit-tree', 'HEAD^{tree}', '-p', 'HEAD', '-m', 'test: somebody else')
      await git(lab, 'push', '-q', '--force', path.join(instanceFolder(lab.instance), 'git', 'homelab.git'), `${commit}:refs/heads/main`)
    })()
  }) }))
  await pushed
  expectCode(result, 0)
  assert.match(result.stderr, '⚠ somebody pushed meanwhile')
  await reconcile(lab, 'back to HEAD')
})

for (const terminal of [true, false]) {
  test(`Ctrl-C ${terminal ? 'on a terminal gives the cursor back' : 'without a terminal ends it'}, and the next run succeeds`, async () => {
    if (terminal && (await run('script', ['--version'])).code !== 0) return
    await commitAll(lab, 'test: interrupted', { allowEmpty: true })
    const at = 'Kustomization/flux-system/tenants'
    const { stdout, stderr } = await (terminal ? makeOnTerminal(lab, 'flux-reconcile', { at, text: '\u0003' }) : makeStruck(lab, 'flux-reconcile', { at, strike: signal => signal('SIGINT') }))
    const output = stdout + stderr
    assert.match(output, 'interrupted by SIGINT')
    if (terminal) assert.ok(output.lastIndexOf('\u001b[?25h') > output.lastIndexOf('\u001b[?25l') && output.includes('\u001b[?25l'))
    await reconcile(lab, 'after Ctrl-C')
  })
}

test('a key that is not there is named; given in the environment it is synced first', async () => {
  await git(lab, 'push', '-q', 'origin', 'main')
  await kube(lab, '-n', 'flux-system', 'patch', 'secret', 'platform-runtime-inputs', '--type=json', '-p', '[{"op":"remove","path":"/data/OAUTH2_PROXY_CLIENT_SECRET"}]')
  const result = await reconcile(lab, 'without a key', { fails: true, env: context })
  assert.match(result.stderr, 'Error 1')
  await expectGolden('key-missing', errorOf(result))
  const given = await reconcile(lab, 'with the key', { env: { ...context, OAUTH2_PROXY_CLIENT_SECRET: 'Given0Secret7c1b5e' } })
  assert.match(given.stderr, 'runtime inputs differ from .env, syncing them first')
})

test('refuses HEAD where Flux would not find it, and says what to do', async () => {
  await commitAll(lab, 'test: not pushed', { allowEmpty: true })
  const refuses = async (name: string) => {
    const result = await make(lab, 'flux-reconcile', { env: context })
    assert.match(result.stderr, 'Error 2')
    await expectGolden(`head-${name}`, errorOf(result))
  }
  await refuses('not-pushed')
  await git(lab, 'push', '-q', 'origin', 'main')
  await git(lab, 'reset', '-q', '--hard', 'HEAD~1')
  await refuses('behind')
  await commitAll(lab, 'test: another way', { allowEmpty: true })
  await refuses('diverged')
})

test.run()
