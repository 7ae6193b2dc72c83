/** What is edited or deleted by hand: named by verify, put back by flux-reconcile; and what the same cluster shows to strangers. */
import { readFile, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { instanceFolder } from '../../tasks/rehearsal/paths.ts'
import { type RehearsalState, readState } from '../../tasks/rehearsal/state.ts'
import { type Lab, clusterEnv, closeLab, expectCode, git, make, must, openLab } from './support.ts'
import { type Listener, ask, listenersOf, openFiles, processesOf, seenOf } from './support-exposure.ts'
import { TIMEOUT, kube, kubeJson, reconcile, tell } from './support-reconcile.ts'

const drift = suite('drift')
let lab: Lab
const given = { OAUTH2_PROXY_CLIENT_SECRET: 'Canary0Drift7e1b93d5c8a4', OTLP_AUTH_TOKEN: 'Canary0Otlp2f6c81a9e0d7' }
const byHand = 'Canary0ByHand6a0e4f93b1d8'
const hidden = [...Object.values(given), byHand].flatMap(value => [value, Buffer.from(value).toString('base64')])

interface Proof { ok: boolean, checks: { subject: string, ok: boolean, words: string, compared?: string }[] }

/** Runs verify as text and as JSON. @returns the faults, as `subject: words`; both runs must agree and show no secret */
async function faultsOf(options: { fails: boolean }): Promise<string[]> {
  const text = tell('verify', await make(lab, 'verify'))
  const json = await make(lab, 'verify', { env: { JSON: '1' } })
  for (const result of [text, json]) {
    expectCode(result, options.fails ? 2 : 0)
    for (const value of hidden) assert.not.ok((result.stdout + result.stderr).includes(value), value)
  }
  const proof = JSON.parse(json.stdout) as Proof
  assert.is(proof.ok, !options.fails)
  const faults = proof.checks.filter(check => !check.ok).map(check => `${check.subject}: ${check.words}`)
  for (const fault of faults) assert.ok(text.stderr.includes(fault), fault)
  if (options.fails) assert.match(text.stderr, 'fix    make flux-reconcile')
  return faults
}

function expectFaults(faults: string[], expected: RegExp[]): void {
  for (const pattern of expected) assert.ok(faults.some(fault => pattern.test(fault)), `${String(pattern)} is not in\n${faults.join('\n')}`)
  assert.is(faults.length, expected.length, faults.join('\n'))
}

const patch = (namespace: string, object: string, body: unknown): Promise<string> => kube(lab, '-n', namespace, 'patch', object, '--type=merge', '-p', JSON.stringify(body))

drift.before(async () => {
  lab = await openLab('e2e-drift')
  expectCode(await make(lab, 'install', { env: { ...given, TIMEOUT: '300' } }), 0)
  lab.env = { ...lab.env, ...await clusterEnv(lab), TIMEOUT: String(TIMEOUT) }
})

drift('a fresh platform has none, and every object was compared', async () => {
  expectFaults(await faultsOf({ fails: false }), [])
  const proof = JSON.parse((await make(lab, 'verify', { env: { JSON: '1' } })).stdout) as Proof
  const compared = proof.checks.filter(check => check.compared !== undefined)
  assert.ok(compared.length > 80, `${compared.length} objects`)
  assert.equal(compared.filter(check => check.compared !== 'fields'), [])
})

drift('what is scaled, edited and deleted by hand is named with its editor', async () => {
  await kube(lab, '-n', 'apps-staging', 'scale', 'deployment', 'example', '--replicas=0')
  await kube(lab, '-n', 'apps-staging', 'set', 'env', 'deployment/example', `LATER=${byHand}`)
  await kube(lab, '-n', 'traefik', 'set', 'image', 'deployment/traefik', '*=registry.example.com/else:1')
  await patch('apps-staging', 'resourcequota/environment', { spec: { hard: { pods: '21' } } })
  await patch('oauth2-proxy', 'secret/oauth2-proxy-runtime-inputs', { stringData: { 'client-secret': byHand, extra: byHand } })
  await patch('oauth2-proxy', 'configmap/oauth2-proxy', { data: { 'oauth2_proxy.cfg': `client_secret = "${byHand}"` } })
  await kube(lab, '-n', 'observability', 'delete', 'networkpolicy', 'observability')
  await kube(lab, '-n', 'observability', 'delete', 'certificate', 'clickstack')
  await kube(lab, '-n', 'traefik', 'delete', 'service', 'traefik')
  // an owner of its own may label a namespace, and Git says nothing about that
  await kube(lab, 'label', 'namespace', 'traefik', 'mine=too')
  const expected = [
    // kubectl scale leaves no name behind, kubectl set does
    /^Deployment\/apps-staging\/example: spec\.replicas is 0, Git says 1, .*\[LATER\]\.value is not in Git · edited by kubectl-set at \d{4}-/,
    /^Deployment\/traefik\/traefik: spec\.template\.spec\.containers\[[\w-]+\]\.image is "registry\.example\.com\/else:1", Git says ".*" · edited by kubectl-set at /,
    /^ResourceQuota\/apps-staging\/environment: spec\.hard\.pods is "21", Git says "20" · edited by kubectl-patch at /,
    /^Secret\/oauth2-proxy\/oauth2-proxy-runtime-inputs: data\.client-secret differs from Git, data\.extra is not in Git · edited by kubectl-patch at /,
    /^ConfigMap\/oauth2-proxy\/oauth2-proxy: data\.oauth2_proxy\.cfg differs from Git · edited by kubectl-patch at /,
    /^NetworkPolicy\/observability\/observability: is gone$/,
    /^Certificate\/observability\/clickstack: is gone$/,
    /^Service\/traefik\/traefik: is gone$/,
  ]
  expectFaults(await faultsOf({ fails: true }), expected)
})

drift('flux-reconcile puts all of it back, layers and releases', async () => {
  const result = await reconcile(lab, 'after edits by hand')
  for (const release of ['traefik', 'oauth2-proxy']) assert.match(result.stderr, `HelmRelease/flux-system/${release} is what its chart says again`)
  for (const value of hidden) assert.not.ok((result.stdout + result.stderr).includes(value), value)
  expectFaults(await faultsOf({ fails: false }), [])
  const secret = await kubeJson<{ data: Record<string, string> }>(lab, '-n', 'oauth2-proxy', 'get', 'secret', 'oauth2-proxy-runtime-inputs')
  assert.is(Buffer.from(secret.data['client-secret'] ?? '', 'base64').toString(), given.OAUTH2_PROXY_CLIENT_SECRET)
  assert.not.ok('extra' in secret.data)
})

drift('of a commit that is not in the clone only existence is proved, and that is said', async () => {
  const other = path.join(lab.folder, '.git', 'other')
  await must('git', ['clone', '-q', lab.folder, other])
  await must('git', ['commit', '-q', '--allow-empty', '-m', 'test: elsewhere'], { cwd: other, env: lab.env })
  await must('git', ['push', '-q', '--force', path.join(instanceFolder(lab.instance), 'git', 'homelab.git'), 'HEAD:refs/heads/main'], { cwd: other, env: lab.env })
  const commit = await must('git', ['rev-parse', 'HEAD'], { cwd: other })
  assert.is.not(commit, await git(lab, 'rev-parse', 'HEAD'))
  await kube(lab, '-n', 'flux-system', 'annotate', 'gitrepository', 'home', `reconcile.fluxcd.io/requestedAt=${Date.now()}`, '--overwrite')
  await kube(lab, '-n', 'flux-system', 'wait', 'kustomization', '--all', '--timeout=120s', `--for=jsonpath={.status.lastAppliedRevision}=main@sha1:${commit}`)
  const result = await make(lab, 'verify')
  expectCode(result, 0)
  assert.match(result.stderr, `not compared with Git, only known to be there: the commit ${commit.slice(0, 12)} is not in this clone`)
  assert.match(result.stderr, 'everything that could be compared is what Git says')
  await kube(lab, '-n', 'observability', 'delete', 'networkpolicy', 'observability')
  const gone = await make(lab, 'verify')
  expectCode(gone, 2)
  assert.match(gone.stderr, 'NetworkPolicy/observability/observability: is gone')
  await reconcile(lab, 'back to HEAD')
})

const exposure = suite('exposure')
let state: RehearsalState
let listeners: Listener[]
/** Every value of every Secret in the cluster, and the credentials of its API server. */
let secrets: string[]

exposure.before(async () => {
  const folder = instanceFolder(lab.instance)
  const found = await readState(folder)
  if (found === undefined) throw new Error(`${folder} has no state`)
  state = found
  listeners = await listenersOf(state)
  const { items } = await kubeJson<{ items: { type?: string, data?: Record<string, string> }[] }>(lab, 'get', 'secrets', '-A')
  const values = items.filter(({ type }) => type !== 'helm.sh/release.v1').flatMap(({ data = {} }) => Object.entries(data))
  // names of users and certificates are for everybody
  const kept = values.filter(([key]) => key !== 'tls.crt' && key !== 'client-id').map(([, value]) => Buffer.from(value, 'base64').toString())
  const tokens = (await readFile(path.join(folder, 'pki', 'tokens.csv'), 'utf8')).trim().split('\n').map(line => line.split(',')[0] ?? '')
  secrets = [...new Set([...kept, ...tokens, ...Object.values(given)])].filter(value => value.length >= 12)
  for (const value of Object.values(given)) assert.ok(kept.some(text => text.includes(value)), 'the canaries are in the cluster')
})
exposure.after(async () => { await closeLab(lab) })

exposure('listens on loopback only', () => {
  assert.ok(listeners.length >= 12, `${listeners.length} sockets`)
  for (const name of ['kube-apiserver', 'etcd', 'registry', 'supervisor', 'acme-prod', 'kwok', 'source-controller']) assert.ok(listeners.some(one => one.process === name), name)
  assert.equal(listeners.filter(({ address }) => address !== '127.0.0.1' && address !== '00000000000000000000000001000000'), [])
})

exposure('the API server answers nobody without credentials', async () => {
  const server = `https://127.0.0.1:${state.ports.apiserver}`
  for (const target of ['/', '/version', '/healthz', '/metrics', '/api/v1/secrets', '/openapi/v3']) {
    assert.is((await ask(server + target)).status, 401, target)
    assert.is((await ask(server + target, { headers: { authorization: 'Bearer none' } })).status, 401, target)
  }
})

exposure('etcd answers nobody without a certificate', async () => {
  const pki = (file: string) => readFile(path.join(instanceFolder(lab.instance), 'pki', file))
  const [cert, key] = await Promise.all([pki('apiserver.pem'), pki('apiserver-key.pem')])
  assert.is((await ask(`https://127.0.0.1:${state.ports.etcd}/version`, { cert, key })).status, 200)
  for (const port of [state.ports.etcd, state.ports.etcdPeer]) {
    assert.is((await ask(`https://127.0.0.1:${port}/version`)).status, 0)
    assert.is.not((await ask(`http://127.0.0.1:${port}/version`)).status, 200)
  }
})

const paths = ['/', '/metrics', '/healthz', '/configz', '/debug/pprof/cmdline', '/pods', '/logs/', '/containerLogs/traefik/traefik/traefik', '/v2/_catalog', '/dir', '/root-keys/0', '/api/v1/secrets']
exposure('what else listens holds no secret of the platform', async () => {
  for (const { process, port } of listeners) {
    for (const scheme of ['http', 'https']) {
      for (const target of paths) {
        const { text } = await ask(`${scheme}://127.0.0.1:${port}${target}`)
        for (const secret of secrets) assert.not.ok(text.includes(secret) || text.includes(Buffer.from(secret).toString('base64')), `${process} ${target}`)
      }
    }
  }
})

exposure('its Git server and its charts can be read only', async () => {
  const through = (url: string, method: string) => ask(`http://127.0.0.1:${state.ports.internet}`, { path: url, method })
  assert.is((await through('http://git.rehearsal.internal/homelab.git/info/refs?service=git-upload-pack', 'GET')).status, 200)
  assert.is((await through('http://git.rehearsal.internal/homelab.git/info/refs?service=git-receive-pack', 'GET')).status, 403)
  assert.is((await through('http://charts.rehearsal.internal/v2/traefik/blobs/uploads/', 'POST')).status, 405)
  assert.is((await through('http://127.0.0.1/', 'GET')).status, 502)
  assert.is((await through('http://charts.rehearsal.internal/helm/../../state.json', 'GET')).status, 404)
  assert.is.not((await through('http://git.rehearsal.internal/../state.json', 'GET')).status, 200)
})

exposure('no process shows a secret in its arguments or environment', async () => {
  const processes = processesOf(state)
  assert.ok(processes.length >= 10, `${processes.length} processes`)
  assert.match(await seenOf(state.children['kube-apiserver']?.pid ?? 0), '--token-auth-file=')
  for (const [name, pid] of processes) {
    const seen = await seenOf(pid)
    for (const secret of secrets) assert.not.ok(seen.includes(secret) || seen.includes(Buffer.from(secret).toString('base64')), name)
  }
})

exposure('files with credentials are their owner\'s alone', async () => {
  const folder = instanceFolder(lab.instance)
  assert.is((await stat(folder)).mode & 0o077, 0)
  for (const name of (await readdir(folder)).filter(one => /kubeconfig$|\.json$|^pki$|^etcd$/.test(one))) assert.is((await stat(path.join(folder, name))).mode & 0o077, 0, name)
  assert.ok((await openFiles(folder, ['BEGIN CERTIFICATE'])).length > 0, 'what everybody may read is found')
  assert.equal(await openFiles(folder, [...secrets, 'PRIVATE KEY']), [])
})

drift.run()
exposure.run()
