/** The releases, rendered with the rehearsal's stand-in charts: what manifests refer to is there, and nothing is refused by pod security. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { inRepository } from '../../tasks/lib/repository.ts'
import { allObjects, platformOf } from './support-chain.ts'
import { type Manifest, at, holdersOf, leaves, listAt, parseManifests, refOf } from './support-manifests.ts'
import { findProgram } from './support-programs.ts'

const test = suite('charts')
const run = promisify(execFile)
const helm = await findProgram('helm')
const objects = allObjects(await platformOf('home'))

async function render(release: Manifest): Promise<Manifest[]> {
  const chart = String(at(release, 'spec.chartRef.name') ?? at(release, 'spec.chart.spec.chart'))
  const secrets = listAt(release, 'spec.valuesFrom').map(from => objects.find(one => one.kind === from.kind && one.metadata.name === from.name))
  const values = [...secrets.map(secret => parse((secret?.stringData as Record<string, string>)['values.yaml'] ?? '') as object), at(release, 'spec.values')]
  const sets = values.flatMap(value => ['--set-json', JSON.stringify(value)])
  const namespace = String(at(release, 'spec.targetNamespace'))
  const { stdout } = await run(helm, ['template', release.metadata.name, inRepository('clusters/rehearsal/charts', chart), '--namespace', namespace, ...sets], { maxBuffer: 2 ** 26 })
  return parseManifests(stdout).map(one => ({ ...one, metadata: { namespace, ...one.metadata } }))
}

const releases = objects.filter(one => one.kind === 'HelmRelease')
const rendered = new Map(await Promise.all(releases.map(async release => [release.metadata.name, await render(release)] as const)))
const all = [...rendered.values()].flat()

test('bring the secrets and services that references.test.ts takes for granted', () => {
  const names = all.map(refOf)
  for (const name of ['Secret/observability/clickstack-secret', 'Service/observability/clickstack-app', 'Service/observability/clickstack-otel-collector', 'Service/oauth2-proxy/oauth2-proxy']) {
    assert.ok(names.includes(name), name)
  }
})

test('bring the ports that ingresses and collectors use', () => {
  const ports = (name: string): unknown[] => listAt(all.find(one => one.kind === 'Service' && one.metadata.name === name), 'spec.ports').map(port => port.port)
  assert.ok(ports('clickstack-app').includes(3000))
  assert.ok(ports('clickstack-otel-collector').includes(4318))
  assert.ok(ports('oauth2-proxy').includes(80))
})

test('give every pod that reads a secret the checksum of its inputs', () => {
  const readers = all.filter(one => ['Deployment', 'DaemonSet'].includes(one.kind) && ['secretRef', 'secretKeyRef'].some(key => holdersOf(one, key).length > 0))
  assert.is(readers.length, 5)
  for (const one of readers) assert.match(String((at(one, 'spec.template.metadata.annotations') as Record<string, string>)['checksum/runtime-inputs']), /^sha-/, refOf(one))
})

test('keep passwords in Secrets', () => {
  const secret = all.find(one => one.metadata.name === 'clickstack-secret')
  const values = ['MONGODB_PASSWORD', 'CLICKHOUSE_PASSWORD', 'CLICKHOUSE_APP_PASSWORD', 'OTLP_AUTH_TOKEN', 'EXPRESS_SESSION_SECRET', 'HYPERDX_API_KEY'].map(key => String(at(secret, `stringData.${key}`)))
  for (const value of values) assert.ok(value.length >= 16)
  for (const one of all.filter(one => one.kind !== 'Secret')) {
    for (const [field, text] of leaves(one)) assert.not(values.some(value => String(text).includes(value)), `${refOf(one)} ${field}`)
  }
})

test('put the mail domain and the answer for Traefik into the configuration of oauth2-proxy', () => {
  const config = rendered.get('oauth2-proxy')?.find(one => one.kind === 'ConfigMap')
  assert.match(String((config?.data as Record<string, string>)['oauth2_proxy.cfg']), /^email_domains = \[ "[^"$]+" \]\nupstreams = \[ "static:\/\/202" \]/)
})

test('meet the pod security level of their namespace', () => {
  const restricted = objects.filter(one => one.kind === 'Namespace' && one.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted').map(one => one.metadata.name)
  const workloads = [...all, ...objects].filter(one => ['Deployment', 'DaemonSet', 'Job'].includes(one.kind) && restricted.includes(one.metadata.namespace ?? ''))
  assert.ok(workloads.length >= 6)
  for (const one of workloads) {
    assert.is(at(one, 'spec.template.spec.securityContext.runAsNonRoot'), true, refOf(one))
    assert.is(at(one, 'spec.template.spec.securityContext.seccompProfile.type'), 'RuntimeDefault', refOf(one))
    for (const container of listAt(one, 'spec.template.spec.containers')) {
      assert.is(at(container, 'securityContext.allowPrivilegeEscalation'), false, refOf(one))
      assert.equal(at(container, 'securityContext.capabilities.drop'), ['ALL'], refOf(one))
    }
  }
})

test.run()
