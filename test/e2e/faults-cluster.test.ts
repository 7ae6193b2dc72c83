/** The cluster, the clock or the rehearsal's own state is not as it should be: told with its fix, and after the fix the same command succeeds. */
import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { say } from '../../tasks/lib/output.ts'
import { instanceFolder } from '../../tasks/rehearsal/paths.ts'
import { isAlive } from '../../tasks/rehearsal/processes.ts'
import { type RehearsalState, readState } from '../../tasks/rehearsal/state.ts'
import { type Lab, type Run, clusterEnv, closeLab, commitAll, edit, expectCode, git, kubectl, make, must, openLab } from './support.ts'
import { TIMEOUT, bringBack, expectNoneLeft, faultCases, makeStruck, recover, succeed, takeAway, told } from './support-faults.ts'
import { difference, openApi, takeFullInventory } from './support-inventory.ts'
import { lookAtNeighbours, settleNeighbours } from './support-neighbours.ts'

const test = suite('cluster')
const fault = faultCases(test, 'faults-cluster')
let lab: Lab
let before: string[] = []
let neighbours: unknown[] = []

async function inventory(): Promise<string[]> {
  const { api, close } = await openApi(lab)
  return takeFullInventory(api).finally(close)
}

/** Runs a target that has to fail well before a user gives up. `timeout`, in seconds, is enough for what has to be reached before, on a slow machine too. */
async function fail(target: string, timeout: number): Promise<Run> {
  const result = await make(lab, target, { env: { TIMEOUT: String(timeout), YES: '1' } })
  say(`  ${target} fails: ${result.seconds.toFixed(1)} s`)
  assert.match(result.stderr, 'Error 1')
  assert.ok(result.seconds < TIMEOUT, `${result.seconds} s\n${result.stderr}`)
  return result
}

/** Runs the commands of an error's fix, as a user pastes them. */
async function paste(stderr: string): Promise<void> {
  const [, fix = ''] = /\n {2}fix {4}([\s\S]*?)\n(?! {9})/.exec(`${stderr}\n`) ?? []
  const commands = fix.split('\n').map(line => line.trim()).filter(line => line.startsWith('kubectl ') && !line.startsWith('kubectl get'))
  assert.ok(commands.length > 0, stderr)
  for (const command of commands) await must('sh', ['-c', command], { cwd: lab.folder, env: { ...lab.env, ...await clusterEnv(lab) } })
}

const webhook = (namespace: string): string => JSON.stringify({
  apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { name: 'e2e-gone' },
  webhooks: [{
    name: 'gone.example.com', failurePolicy: 'Fail', sideEffects: 'None', admissionReviewVersions: ['v1'], timeoutSeconds: 1, clientConfig: { service: { name: 'gone', namespace: 'neighbour' } },
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } }, rules: [{ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['deployments', 'services'] }],
  }],
})

test.before(async () => { lab = await openLab('e2e-faults') })
test.after(async () => { await closeLab(lab) })

fault('state of a rehearsal that is no longer there, its process ids given to others', async () => {
  const stranger = spawn('sleep', ['600'], { stdio: 'ignore' })
  const folder = instanceFolder(lab.instance)
  const ref = { pid: stranger.pid ?? 0, started: '1' }
  const state: Partial<RehearsalState> = { name: lab.instance, phase: 'ready', supervisor: ref, children: { 'etcd': ref, 'kube-apiserver': { pid: 4_194_303, started: '2' } } }
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(folder, 'state.json'), JSON.stringify(state))
  const result = await succeed(lab, 'rehearsal-up')
  assert.is(stranger.exitCode ?? stranger.signalCode, null, 'another\'s process was ended')
  stranger.kill()
  await settleNeighbours(lab)
  before = await inventory()
  neighbours = await lookAtNeighbours(lab)
  return told(result, /✔ rehearsal cluster \S+ is up/)
})

fault('two installs at once', async () => {
  const results = await Promise.all([make(lab, 'install'), make(lab, 'install')])
  for (const result of results) expectCode(result, 0)
  await recover(lab, 'install')
  return results.map(result => told(result, /✔ (installed|everything is already there)/)).join(' / ')
})

fault('a release that never gets Ready', async () => {
  await edit(lab, 'platform-services/oauth2-proxy/helmrelease.yaml', 'cpu: 10m', 'cpu: 9999')
  await commitAll(lab, 'test: never Ready')
  const result = await fail('flux-reconcile', 30).finally(() => git(lab, 'revert', '--no-edit', 'HEAD'))
  assert.match(result.stderr, 'platform-services/oauth2-proxy/helmrelease.yaml')
  await expectNoneLeft(lab)
  await recover(lab, 'flux-reconcile')
  return told(result, /Pod\/oauth2-proxy\/.*node/)
})

for (const [target, namespace] of [['flux-reconcile', 'apps-staging'], ['install', 'flux-system']] as const) {
  fault(`a webhook whose service is gone, in ${target}`, async () => {
    await kubectl(lab, ['apply', '-f', '-'], { input: webhook(namespace) })
    await commitAll(lab, 'test: webhook', { allowEmpty: true })
    const result = await fail(target, 15)
    assert.match(result.stderr, 'kubectl delete validatingwebhookconfiguration e2e-gone')
    await paste(result.stderr)
    await recover(lab, target)
    return told(result, 'gone.example.com')
  })
}

// an hour ahead two seconds after its start, and no process but the task's own has that clock
const jump = 'let by=0;const D=Date;setTimeout(()=>{by=36e5},2000).unref();globalThis.Date=class extends D{constructor(...a){super(...(a.length?a:[D.now()+by]))}static now(){return D.now()+by}}'

fault('the task\'s clock jumps an hour ahead while it waits', async () => {
  await commitAll(lab, 'test: clock', { allowEmpty: true })
  await takeAway(lab, 'git')
  const strike = async () => { await pause(4000); await bringBack(lab, 'git') }
  const result = await makeStruck(lab, 'flux-reconcile', { at: '✗ GitRepository/flux-system/home', strike }, { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(jump)}` })
  expectCode(result, 0)
  await recover(lab, 'flux-reconcile')
  return told(result, '✔ everything is at')
})

fault('somebody asked Flux to reconcile in the year 2099', async () => {
  await kubectl(lab, ['annotate', '-n', 'flux-system', 'gitrepositories/home', 'kustomizations/home', 'kustomizations/tenants', '--overwrite', 'reconcile.fluxcd.io/requestedAt=2099-01-01T00:00:00Z'])
  await commitAll(lab, 'test: 2099', { allowEmpty: true })
  const result = await succeed(lab, 'flux-reconcile')
  await recover(lab, 'flux-reconcile')
  return told(result, '✔ everything is at')
})

fault('a rehearsal whose supervisor was killed', async () => {
  const state = await readState(instanceFolder(lab.instance))
  assert.ok(state)
  process.kill(state.supervisor.pid, 'SIGKILL')
  const result = await succeed(lab, 'install')
  for (const [name, ref] of Object.entries(state.children)) assert.not.ok(await isAlive(ref), name)
  await recover(lab, 'install')
  assert.equal((await readFile(path.join(instanceFolder(lab.instance), 'state.json'), 'utf8')).includes(String(state.supervisor.pid)), false)
  return told(result, 'its supervisor is gone')
})

fault('a webhook whose service is gone, in teardown', async () => {
  await kubectl(lab, ['apply', '-f', '-'], { input: webhook('apps-staging') })
  const result = await fail('teardown', 40)
  assert.match(result.stderr, 'kubectl delete validatingwebhookconfiguration e2e-gone')
  await paste(result.stderr)
  return told(result, 'gone.example.com')
})

fault('a teardown that is given too little time', async () => {
  const result = await fail('teardown', 2)
  assert.not.match(result.stderr, 'kubectl delete')
  assert.match(result.stderr, 'make teardown TIMEOUT=4')
  return told(result, 'objects are not gone yet').replace(/\d+/, '…')
})

fault('a namespace stuck Terminating: an object in it that nobody lets go', async () => {
  const widget = { apiVersion: 'neighbour.example.com/v1alpha1', kind: 'Widget', metadata: { name: 'held', namespace: 'observability', finalizers: ['example.com/nobody'] } }
  await kubectl(lab, ['apply', '-f', '-'], { input: JSON.stringify(widget) })
  const result = await fail('teardown', 40)
  await paste(result.stderr)
  return told(result, '✗ Widget')
})

fault('a namespace stuck Terminating: an API that nobody serves', async () => {
  const service = { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name: 'v1.gone.example.com' }, spec: { group: 'gone.example.com', version: 'v1', groupPriorityMinimum: 100, versionPriority: 100, service: { name: 'gone', namespace: 'neighbour' } } }
  await kubectl(lab, ['apply', '-f', '-'], { input: JSON.stringify(service) })
  const result = await fail('teardown', 40)
  assert.match(result.stderr, 'kubectl delete apiservice v1.gone.example.com')
  await paste(result.stderr)
  await succeed(lab, 'teardown', { YES: '1' })
  assert.equal(difference(before, await inventory()), [])
  assert.equal(await lookAtNeighbours(lab), neighbours)
  await expectNoneLeft(lab)
  return told(result, '✗ ')
})

test.run()
