/** `make teardown` among neighbours: five loops on one cluster, refusals, kept data, a finalizer that nobody removes. */
import { spawnSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Api } from '../../tasks/lib/api.ts'
import { commitAll, type Lab, closeLab, expectCode, kubectl, make, makeOnTerminal, objects, openLab, type Run } from './support.ts'
import { renderTable, writeFigures } from './support-figures.ts'
import { difference, openApi, takeFullInventory } from './support-inventory.ts'
import { lookAtNeighbours, settleNeighbours } from './support-neighbours.ts'

const test = suite('teardown')
const CONTEXT = 'rehearsal-e2e-teardown'
const yes = { YES: '1' }
let lab: Lab
let api: Api
let close = async () => {}
let before: string[] = []
let installed: string[] = []
let neighbours: unknown[] = []
const figures = { loops: 0, compared: 0, differences: 0 }

function compare(expected: string[], found: string[]): void {
  const lines = difference(expected, found)
  figures.compared += found.length
  figures.differences += lines.length
  assert.equal(lines, [])
}

async function install(): Promise<Run> {
  const result = await make(lab, 'install')
  expectCode(result, 0)
  const found = await takeFullInventory(api)
  if (installed.length === 0) installed = found
  compare(installed, found)
  return result
}

async function expectClean(): Promise<void> {
  figures.loops += 1
  compare(before, await takeFullInventory(api))
  assert.equal(await lookAtNeighbours(lab), neighbours)
}

async function teardown(env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const result = await make(lab, 'teardown', { env: { ...yes, ...env } })
  expectCode(result, 0)
  return result
}

async function secretData(namespace: string, name: string): Promise<Record<string, string>> {
  return (JSON.parse(await kubectl(lab, ['get', 'secret', name, '-n', namespace, '-o', 'json'])) as { data: Record<string, string> }).data
}

test.before(async () => {
  lab = await openLab('e2e-teardown')
  expectCode(await make(lab, 'rehearsal-up'), 0)
  ;({ api, close } = await openApi(lab))
  await settleNeighbours(lab)
  before = await takeFullInventory(api)
  neighbours = await lookAtNeighbours(lab)
})
test.after(async () => {
  await close()
  await closeLab(lab)
  await writeFigures('loops', renderTable(['figure', 'value'], [
    ['loops of install and teardown on one cluster', String(figures.loops)],
    ['objects before the first install, neighbours among them', String(before.length)],
    ['objects after each install', String(installed.length)],
    ['objects compared', String(figures.compared)],
    ['differences', String(figures.differences)],
  ]))
})

test('says that there is nothing to remove', async () => {
  assert.match((await teardown()).stderr, '✔ already removed')
})

test('leaves neighbours as they are while the platform is there', async () => {
  await install()
  const words = (look: unknown[]) => JSON.stringify(look, (key: string, value: unknown) => (key === 'labels' || key === 'annotations' ? undefined : value))
  assert.is(words(await lookAtNeighbours(lab)), words(neighbours))
  const [shared] = (await objects<{ metadata: { name: string, labels: Record<string, string> } }>(lab, 'namespaces')).filter(one => one.metadata.name === 'traefik')
  assert.is(shared?.metadata.labels.team, 'neighbours')
})

test('DRY_RUN lists what would go, with the data that is lost, and removes nothing', async () => {
  const result = await make(lab, 'teardown', { env: { DRY_RUN: '1' } })
  expectCode(result, 0)
  for (const words of ['1. Kustomization/flux-system/app-example', 'left alone: Namespace/traefik', 'data lost: PersistentVolumeClaim/observability/', '20Gi']) assert.match(result.stdout, words)
  compare(installed, await takeFullInventory(api))
})

test('refuses without a terminal and without YES=1', async () => {
  const result = await make(lab, 'teardown')
  assert.match(result.stderr, '✗ this needs a yes')
  assert.match(result.stderr, 'YES=1 make teardown')
  assert.match(result.stderr, 'Error 2')
  compare(installed, await takeFullInventory(api))
})

test('asks for the context\'s name: another answer removes nothing, the right one everything', async () => {
  if (spawnSync('script', ['-qec', 'true', '/dev/null']).status !== 0) return void await teardown()
  const answer = (text: string) => makeOnTerminal(lab, 'teardown', { at: "type the context's name", text: `${text}\r` })
  const refused = await answer('yes')
  assert.match(refused.stdout, 'nothing was removed')
  compare(installed, await takeFullInventory(api))
  const { code, stdout: output } = await answer(CONTEXT)
  assert.is(code, 0, output)
  assert.ok(output.endsWith('\u001b[?25h') || output.lastIndexOf('\u001b[?25h') > output.lastIndexOf('\u001b[?25l'), 'the cursor is back')
  await expectClean()
})

test('reinstall removes and installs, again and again', async () => {
  await install()
  for (let loop = 0; loop < 2; loop += 1) {
    expectCode(await make(lab, 'reinstall', { env: yes }), 0)
    figures.loops += 1
    compare(installed, await takeFullInventory(api))
  }
})

test('a finalizer that nobody removes: named with its fix before the deadline; after the fix it ends clean', async () => {
  const target = ['-n', 'apps-staging', 'configmap', 'held']
  await kubectl(lab, ['create', ...target])
  await kubectl(lab, ['patch', 'deployment', 'example', '-n', 'apps-staging', '--type=merge', '-p', '{"metadata":{"finalizers":["example.com/held"]}}'])
  await kubectl(lab, ['patch', ...target, '--type=merge', '-p', '{"metadata":{"finalizers":["example.com/held"]}}'])
  const result = await make(lab, 'teardown', { env: { ...yes, TIMEOUT: '15' } })
  assert.match(result.stderr, 'Error 1')
  assert.match(result.stderr, '✗ Deployment/apps-staging/example cannot be removed')
  assert.match(result.stderr, 'held by finalizer example.com/held')
  const fix = /kubectl (patch deployment\S* example -n apps-staging .*)$/m.exec(result.stderr)?.[1] ?? ''
  assert.ok(result.seconds < 40, `${result.seconds} s`)
  await kubectl(lab, fix.replaceAll("'", '').split(' '))
  const again = await make(lab, 'teardown', { env: { ...yes, TIMEOUT: '15' } })
  assert.match(again.stderr, '✗ ConfigMap/apps-staging/held cannot be removed')
  await kubectl(lab, ['patch', ...target, '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
  await teardown()
  await expectClean()
})

test('KEEP_DATA keeps volumes, passwords and production certificates, and the next install takes them up', async () => {
  expectCode(await make(lab, 'platform-certs-prod'), 0)
  await commitAll(lab, 'test: production certificates')
  await install()
  const certificate = await secretData('oauth2-proxy', 'oauth2-proxy-tls')
  const inputs = await secretData('flux-system', 'platform-runtime-inputs')
  const volumes = await objects(lab, 'persistentvolumeclaims')
  assert.ok(volumes.length >= 4, `${volumes.length} volume claims`)

  const result = await teardown({ KEEP_DATA: '1' })
  assert.match(result.stderr, 'data kept: PersistentVolumeClaim/observability/')
  assert.equal((await objects(lab, 'persistentvolumeclaims')).map(one => one.metadata.name), volumes.map(one => one.metadata.name))
  assert.match((await teardown({ KEEP_DATA: '1' })).stderr, 'but what was kept: ')

  const again = await make(lab, 'install')
  expectCode(again, 0)
  // the platform's two certificates came back without asking the ACME server: all the same but for their requests and orders
  const lacking = difference(installed, await takeFullInventory(api))
  assert.is(lacking.filter(line => /^- (CertificateRequest|Order)\/(oauth2-proxy|observability)\//.test(line)).length, lacking.length, lacking.join('\n'))
  assert.is(lacking.length, 4)
  assert.match(again.stderr, 'certificates and passwords that the last teardown kept stand again')
  assert.equal(await secretData('oauth2-proxy', 'oauth2-proxy-tls'), certificate)
  assert.equal(await secretData('flux-system', 'platform-runtime-inputs'), inputs)
})

test('a Certificate of the user\'s own keeps its definition until it is gone', async () => {
  const own = { apiVersion: 'cert-manager.io/v1', kind: 'Certificate', metadata: { name: 'theirs', namespace: 'neighbour' }, spec: { secretName: 'theirs-tls', dnsNames: ['theirs.example.com'], issuerRef: { kind: 'ClusterIssuer', name: 'letsencrypt-staging' } } }
  await kubectl(lab, ['apply', '-f', '-'], { input: JSON.stringify(own) })
  await kubectl(lab, ['wait', '-n', 'neighbour', '--for=condition=Ready', '--timeout=120s', 'certificate/theirs'])
  const result = await teardown()
  assert.match(result.stderr, 'CustomResourceDefinition/certificates.cert-manager.io stays')
  await kubectl(lab, ['get', 'certificate/theirs', 'secret/theirs-tls', '-n', 'neighbour'])
  await kubectl(lab, ['delete', 'certificate/theirs', 'secret/theirs-tls', '-n', 'neighbour'])
  await teardown()
  await expectClean()
})

test('five loops were made, and nothing differed', () => {
  assert.ok(figures.loops >= 5, `${figures.loops} loops`)
  assert.is(figures.differences, 0)
})

test.run()
