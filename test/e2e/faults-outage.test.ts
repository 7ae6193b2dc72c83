/** What the platform needs is away for a while: the API server, Flux's controllers, Git, charts, the ACME server. Nobody has to do anything but wait. */
import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Lab, closeLab, commitAll, edit, expectCode, kubectl, make, openLab } from './support.ts'
import { bringBack, expectNoneLeft, faultCases, hit, makeStruck, recover, succeed, takeAway, told } from './support-faults.ts'
import { lookAtNeighbours, settleNeighbours } from './support-neighbours.ts'

const test = suite('outage')
const fault = faultCases(test, 'faults-outage')
let lab: Lab
let neighbours: unknown[] = []

const newCommit = (name: string): Promise<void> => commitAll(lab, `test: ${name}`, { allowEmpty: true })

test.before(async () => {
  lab = await openLab('e2e-outage')
  expectCode(await make(lab, 'rehearsal-up'), 0)
  await settleNeighbours(lab)
  neighbours = await lookAtNeighbours(lab)
})
test.after(async () => { await closeLab(lab) })

fault('API server stopped for 20 s in an install', async () => {
  const result = await makeStruck(lab, 'install', { at: '► HelmRelease/flux-system/cert-manager', strike: () => hit(lab, 'kube-apiserver', 'SIGSTOP', 20) })
  expectCode(result, 0)
  await recover(lab, 'install')
  return told(result, /◎ API server .*does not answer/)
})

fault('API server stopped for 20 s in a reconcile', async () => {
  await newCommit('API server stopped')
  const result = await makeStruck(lab, 'flux-reconcile', { at: '✔ GitRepository/flux-system/home', strike: () => hit(lab, 'kube-apiserver', 'SIGSTOP', 20) })
  expectCode(result, 0)
  await recover(lab, 'flux-reconcile')
  return told(result, /◎ API server .*does not answer/)
})

for (const name of ['kube-apiserver', 'etcd', 'source-controller', 'kustomize-controller', 'helm-controller', 'cert-manager']) {
  fault(`${name} killed in a reconcile`, async () => {
    await newCommit(`${name} killed`)
    const at = name === 'source-controller' ? '► reconciling' : '✔ GitRepository/flux-system/home'
    const result = await makeStruck(lab, 'flux-reconcile', { at, strike: () => hit(lab, name, 'SIGKILL') })
    expectCode(result, 0)
    await recover(lab, 'flux-reconcile')
    return told(result, /◎ API server|✔ everything is at/)
  })
}

fault('Git server away, and back while reconcile waits', async () => {
  await newCommit('Git server away')
  await takeAway(lab, 'git')
  const result = await makeStruck(lab, 'flux-reconcile', { at: '✗ GitRepository/flux-system/home', strike: () => bringBack(lab, 'git') })
  expectCode(result, 0)
  await recover(lab, 'flux-reconcile')
  return told(result, /✗ GitRepository\/flux-system\/home .*503/)
})

fault('Git server away until the deadline', async () => {
  await newCommit('Git server away for long')
  await takeAway(lab, 'git')
  const result = await make(lab, 'flux-reconcile', { env: { TIMEOUT: '8' } })
  assert.match(result.stderr, 'Error 1')
  await expectNoneLeft(lab)
  await bringBack(lab, 'git')
  await recover(lab, 'flux-reconcile')
  return told(result, 'GitRepository/flux-system/home: ')
})

fault('chart registry away when a chart is to be fetched, and back while reconcile waits', async () => {
  await takeAway(lab, 'charts')
  await edit(lab, 'platform-services/oauth2-proxy/ocirepository.yaml', /interval: .*/, 'interval: 11m')
  await edit(lab, 'platform-services/clickstack/helmrelease.yaml', /interval: .*/, 'interval: 11m')
  await commitAll(lab, 'test: charts are fetched anew')
  const result = await makeStruck(lab, 'flux-reconcile', { at: /✗ .*oauth2-proxy.*503/, strike: async () => { await pause(3000); await bringBack(lab, 'charts') } })
  expectCode(result, 0)
  await recover(lab, 'flux-reconcile')
  return told(result, /✗ .*oauth2-proxy.*503/)
})

fault('ACME server away when a certificate is needed', async () => {
  await takeAway(lab, 'acme-staging')
  await kubectl(lab, ['delete', 'secret', 'oauth2-proxy-tls', '-n', 'oauth2-proxy'])
  const result = await make(lab, 'flux-reconcile', { env: { TIMEOUT: '8' } })
  assert.match(result.stderr, 'Error 1')
  await bringBack(lab, 'acme-staging')
  await recover(lab, 'flux-reconcile')
  return told(result, 'Certificate/oauth2-proxy/oauth2-proxy: ')
})

fault('API server killed in a teardown', async () => {
  const result = await makeStruck(lab, 'teardown', { at: '► level 2', strike: () => hit(lab, 'kube-apiserver', 'SIGKILL') }, { YES: '1' })
  expectCode(result, 0)
  await expectNoneLeft(lab)
  await succeed(lab, 'teardown', { YES: '1' })
  assert.equal(await lookAtNeighbours(lab), neighbours)
  return told(result, '✔ removed')
})

test.run()
