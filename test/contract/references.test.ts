/** Every name that a manifest uses belongs to something that a layer, or the chart of a release, creates. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { allObjects, platformOf } from './support-chain.ts'
import { type Manifest, at, holdersOf, leaves, listAt, refOf } from './support-manifests.ts'

const test = suite('references')

const platform = await platformOf('home')
const objects = allObjects(platform)
const releases = objects.filter(one => one.kind === 'HelmRelease')
const find = (kind: string, namespace: string | undefined, name: unknown): Manifest | undefined =>
  objects.find(one => one.kind === kind && one.metadata.namespace === namespace && one.metadata.name === name)

/** Secrets and Services that charts and cert-manager create, by namespace; charts.test.ts looks for them there. */
const fromCharts = ['Secret/observability/clickstack-secret', 'Service/observability/clickstack-app', 'Service/observability/clickstack-otel-collector', 'Service/oauth2-proxy/oauth2-proxy']

interface Host { namespace: string, spec: unknown, from: string }

/** Ingress specs, our own and those in the values of releases. */
const ingresses: Host[] = [
  ...objects.filter(one => one.kind === 'Ingress').map(one => ({ namespace: one.metadata.namespace ?? '', spec: one.spec, from: refOf(one) })),
  ...releases.flatMap(release => {
    const namespace = String(at(release, 'spec.targetNamespace'))
    return [at(release, 'spec.values.hyperdx.ingress.spec'), at(release, 'spec.values.ingress')]
      .filter(spec => spec !== undefined).map(spec => ({ namespace, spec, from: refOf(release) }))
  }),
]

test('every release has its chart', () => {
  for (const release of releases) {
    const reference = (at(release, 'spec.chartRef') ?? at(release, 'spec.chart.spec.sourceRef')) as { kind: string, name: string }
    assert.ok(find(reference.kind, 'flux-system', reference.name), refOf(release))
  }
})

test('every source serves a release', () => {
  const used = new Set(releases.map(release => String(at(release, 'spec.chartRef.name') ?? at(release, 'spec.chart.spec.sourceRef.name'))))
  const sources = objects.filter(one => ['OCIRepository', 'HelmRepository'].includes(one.kind)).map(one => one.metadata.name)
  assert.equal(sources.sort(), [...used].sort())
})

test('every release that another waits for exists', () => {
  for (const release of releases) for (const one of listAt(release, 'spec.dependsOn')) assert.ok(find('HelmRelease', 'flux-system', one.name), refOf(release))
})

test('every namespace is created by the root or by tenants', () => {
  const created = [...platform.objects.get('home') ?? [], ...platform.objects.get('tenants') ?? []].filter(one => one.kind === 'Namespace').map(one => one.metadata.name)
  const used = [...objects.map(one => one.metadata.namespace), ...releases.map(release => String(at(release, 'spec.targetNamespace')))]
  for (const namespace of new Set(used)) if (namespace !== undefined) assert.ok(['flux-system', ...created].includes(namespace), namespace)
})

test('every secret key that a release reads is written by runtime-inputs, or by a chart', () => {
  for (const release of releases) {
    const namespace = String(at(release, 'spec.targetNamespace'))
    for (const { secretKeyRef } of holdersOf(at(release, 'spec.values'), 'secretKeyRef')) {
      const { name, key } = secretKeyRef as { name: string, key: string }
      if (fromCharts.includes(`Secret/${namespace}/${name}`)) continue
      assert.type(at(find('Secret', namespace, name), `stringData.${key}`), 'string', `${refOf(release)} ${name} ${key}`)
    }
  }
})

test('oauth2-proxy finds the three keys that its chart asks for', () => {
  const name = at(find('HelmRelease', 'flux-system', 'oauth2-proxy'), 'spec.values.config.existingSecret')
  const secret = find('Secret', 'oauth2-proxy', name)
  assert.equal(Object.keys(secret?.stringData as object).sort(), ['client-id', 'client-secret', 'cookie-secret'])
})

test('values that come from a Secret are there and are YAML', () => {
  const sources = releases.flatMap(release => listAt(release, 'spec.valuesFrom'))
  assert.is(sources.length, 1)
  for (const { kind, name, valuesKey } of sources) {
    const text = at(find(String(kind), 'flux-system', name), 'stringData') as Record<string, string>
    const values = parse(text[String(valuesKey)] ?? '') as object
    for (const [key, value] of leaves(values)) assert.type(value, 'string', key)
  }
})

test('every certificate names an issuer that exists', () => {
  for (const certificate of objects.filter(one => one.kind === 'Certificate')) {
    const { kind, name } = at(certificate, 'spec.issuerRef') as { kind: string, name: string }
    assert.ok(find(kind, undefined, name), refOf(certificate))
  }
})

test('every issuer solves through the ingress class that Traefik brings', () => {
  const values = at(find('HelmRelease', 'flux-system', 'traefik'), 'spec.values')
  for (const { ingressClassName } of holdersOf(objects, 'ingressClassName')) assert.is(ingressClassName, at(values, 'ingressClass.name'))
  assert.is(at(find('HelmRelease', 'flux-system', 'oauth2-proxy'), 'spec.values.ingress.className'), at(values, 'ingressClass.name'))
})

test('every host has a certificate of its name beside it', () => {
  assert.is(ingresses.length, 3)
  for (const { namespace, spec, from } of ingresses) {
    for (const { secretName, hosts } of listAt<{ secretName: string, hosts: string[] }>(spec, 'tls')) {
      const certificate = objects.find(one => one.kind === 'Certificate' && one.metadata.namespace === namespace && at(one, 'spec.secretName') === secretName)
      assert.equal(at(certificate, 'spec.dnsNames'), hosts, from)
      const served = listAt<string | { host: string }>(spec, 'rules').concat(listAt<string>(spec, 'hosts')).map(one => typeof one === 'string' ? one : one.host)
      assert.equal(served, hosts, from)
    }
  }
})

test('every ingress leads to a service', () => {
  for (const { namespace, spec, from } of ingresses) {
    for (const { service } of holdersOf(spec, 'service')) {
      const { name } = service as { name: string }
      assert.ok(find('Service', namespace, name) ?? fromCharts.includes(`Service/${namespace}/${name}`), `${from} ${name}`)
    }
  }
})

test('every middleware that an ingress names exists, and asks a service that exists', () => {
  const names = holdersOf(objects, 'traefik.ingress.kubernetes.io/router.middlewares').map(one => String(one['traefik.ingress.kubernetes.io/router.middlewares']))
  assert.is(names.length, 1)
  for (const name of names.flatMap(list => list.split(','))) {
    const middleware = objects.find(one => one.kind === 'Middleware' && `${one.metadata.namespace}-${one.metadata.name}@kubernetescrd` === name)
    const [, service, namespace] = /^http:\/\/([\w-]+)\.([\w-]+)\.svc\.cluster\.local\/$/.exec(String(at(middleware, 'spec.forwardAuth.address'))) ?? []
    assert.ok(fromCharts.includes(`Service/${namespace}/${service}`), name)
  }
})

test.run()
