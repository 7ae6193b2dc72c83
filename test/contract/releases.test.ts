/** HelmReleases: the shared defaults, names that others rely on, and pods that roll with their secrets. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { derivedInputs } from '../../tasks/lib/inputs.ts'
import { allObjects, platformOf } from './support-chain.ts'
import { type Manifest, at, leaves, readText, refOf } from './support-manifests.ts'

const test = suite('releases')

const releases = allObjects(await platformOf('home')).filter(one => one.kind === 'HelmRelease')
const release = (name: string): Manifest => {
  const found = releases.find(one => one.metadata.name === name)
  assert.ok(found, name)
  return found as Manifest
}

const defaults: [string, unknown][] = [
  ['driftDetection.mode', 'enabled'],
  ['install.crds', 'CreateReplace'], ['install.strategy', { name: 'RetryOnFailure', retryInterval: '15s' }],
  ['upgrade.crds', 'CreateReplace'], ['upgrade.strategy', { name: 'RetryOnFailure', retryInterval: '15s' }],
]

test('all have the defaults', () => {
  assert.is(releases.length, 7)
  for (const one of releases) {
    for (const [field, value] of defaults) assert.equal(at(one, `spec.${field}`), value, `${refOf(one)} ${field}`)
    for (const field of ['interval', 'timeout']) assert.type(at(one, `spec.${field}`), 'string', `${refOf(one)} ${field}`)
  }
})

test('state the defaults nowhere but once', () => {
  const own = ['infrastructure/controllers/cert-manager', 'infrastructure/controllers/traefik', 'infrastructure/controllers/clickstack-operators', 'platform-services/clickstack', 'platform-services/oauth2-proxy']
  for (const folder of own) {
    const { spec } = parse(readText(`${folder}/helmrelease.yaml`)) as Manifest
    for (const field of ['driftDetection', 'install', 'upgrade', 'interval', 'timeout']) assert.is(at(spec, field), undefined, `${folder} ${field}`)
  }
})

test('are stored with Flux, so that no namespace takes a release along, under the names that others use', () => {
  for (const one of releases) {
    assert.is(one.metadata.namespace, 'flux-system')
    assert.is(at(one, 'spec.releaseName'), one.metadata.name)
    assert.type(at(one, 'spec.targetNamespace'), 'string')
  }
})

test('ClickStack is where its operators watch', () => {
  assert.is(at(release('clickstack'), 'spec.targetNamespace'), at(release('clickstack-operators'), 'spec.targetNamespace'))
})

/** Every pod template that reads a secret, by release, with the place of its annotations and the consumer of its keys. */
const secretPods: [string, string, string][] = [
  ['oauth2-proxy', 'podAnnotations', 'oauth2-proxy'],
  ['clickstack', 'hyperdx.deployment.podAnnotations', 'clickstack'],
  ['clickstack', 'otel-collector.podAnnotations', 'clickstack'],
  ['otel-node', 'podAnnotations', 'otel'],
  ['otel-cluster', 'podAnnotations', 'otel'],
]
for (const [name, place, consumer] of secretPods) {
  test(`${name} rolls with its secrets: ${place}`, () => {
    assert.equal(at(release(name), `spec.values.${place}`), { 'checksum/runtime-inputs': `sha-${consumer}` })
  })
}

test('every consumer of the contract rolls some pod', () => {
  assert.equal([...new Set(secretPods.map(([, , consumer]) => consumer))].sort(), derivedInputs.map(input => input.consumer).sort())
})

test('ClickHouse rolls too: its operator offers no annotations', () => {
  const env = at(release('clickstack'), 'spec.values.clickhouse.cluster.spec.containerTemplate.env') as { name: string, value?: string }[]
  assert.is(env.find(one => one.name === 'RUNTIME_INPUTS_CHECKSUM')?.value, 'sha-clickstack')
})

test('no password reaches a ConfigMap, a plain environment or a custom resource', () => {
  const values = at(release('clickstack'), 'spec.values') as object
  assert.is(at(values, 'hyperdx.config.MONGO_URI'), null)
  assert.is(at(values, 'hyperdx.deployment.defaultConnections'), '')
  const templated = leaves(values).filter(([, value]) => typeof value === 'string' && value.includes('.Values.hyperdx.secrets'))
  assert.equal(templated.map(([key]) => key).filter(key => !key.startsWith('hyperdx.secrets.')), [])
  for (const user of ['app', 'otelcollector']) {
    assert.ok(at(values, `clickhouse.cluster.spec.settings.extraUsersConfig.users.${user}.password.@from_env`), user)
  }
})

test('both collectors send with the token to the collector of ClickStack', () => {
  for (const name of ['otel-node', 'otel-cluster']) {
    const exporter = at(release(name), 'spec.values.config.exporters.otlp_http')
    assert.is(at(exporter, 'endpoint'), 'http://clickstack-otel-collector.observability.svc.cluster.local:4318')
    assert.is(at(exporter, 'headers.authorization'), '${env:OTLP_AUTH_TOKEN}')
  }
})

test.run()
