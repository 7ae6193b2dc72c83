/** clusters/rehearsal is home with its outside world replaced: the whole difference, as data. */
import { isDeepStrictEqual } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { INSTALL_FIXTURE, allObjects, entrypoint, platformOf } from './support-chain.ts'
import { buildInline } from './support-kustomize.ts'
import { type Manifest, at, leaves, listAt, parseManifests, readText, refOf } from './support-manifests.ts'

const test = suite('rehearsal')

/** @returns `Kind/namespace/name field: there → here` for every leaf that differs. */
function difference(home: Manifest[], rehearsal: Manifest[]): string[] {
  const byRef = new Map(home.map(one => [refOf(one), one]))
  return rehearsal.flatMap(one => {
    const [before, after] = [new Map(leaves(byRef.get(refOf(one)))), new Map(leaves(one))]
    const fields = [...new Set([...before.keys(), ...after.keys()])].filter(field => !isDeepStrictEqual(before.get(field), after.get(field)))
    return fields.map(field => `${refOf(one)} ${field}: ${String(after.get(field))}`)
  }).sort()
}

const oci = (name: string): string[] => [
  `OCIRepository/flux-system/${name} spec.insecure: true`,
  `OCIRepository/flux-system/${name} spec.url: oci://charts.rehearsal.internal/${name}`,
]

test('replaces URLs, and allows plain HTTP to them, in what the layers apply', async () => {
  const [home, rehearsal] = [allObjects(await platformOf('home')), allObjects(await platformOf('rehearsal'))]
  assert.equal(rehearsal.map(refOf), home.map(refOf))
  const withoutLayers = (all: Manifest[]): Manifest[] => all.filter(one => one.kind !== 'Kustomization')
  assert.equal(difference(withoutLayers(home), withoutLayers(rehearsal)), [
    'ClusterIssuer/letsencrypt-prod spec.acme.server: https://acme-prod.rehearsal.internal/dir',
    'ClusterIssuer/letsencrypt-staging spec.acme.server: https://acme-staging.rehearsal.internal/dir',
    'HelmRepository/flux-system/clickstack spec.url: http://charts.rehearsal.internal/helm',
    ...['cert-manager', 'oauth2-proxy', 'opentelemetry-collector', 'traefik'].flatMap(oci),
  ])
})

test('changes nothing of a layer but its patches', async () => {
  const [home, rehearsal] = [await platformOf('home'), await platformOf('rehearsal')]
  const fields = difference(home.layers, rehearsal.layers).map(line => line.split(' ')[1] ?? '')
  assert.equal(fields.filter(field => !field.startsWith('spec.patches.')), [])
  for (const layer of rehearsal.layers) {
    for (const { patch } of listAt(layer, 'spec.patches')) {
      for (const { path } of parse(String(patch)) as { path: string }[]) assert.ok(['/spec/url', '/spec/insecure', '/spec/acme/server'].includes(path), path)
    }
  }
})

test('follows its own Git server from its own folder', async () => {
  const { patches } = parse(readText('clusters/rehearsal/flux-system/kustomization.yaml')) as { patches: unknown[] }
  const resources = [INSTALL_FIXTURE, 'clusters/home/platform-settings.yaml']
  const rehearsal = parseManifests(await buildInline({ resources, components: ['clusters/home/flux-system/sync'], patches }))
  assert.equal(difference(await entrypoint(), rehearsal), [
    'GitRepository/flux-system/home spec.url: http://git.rehearsal.internal/homelab.git',
    'Kustomization/flux-system/home spec.path: ./clusters/rehearsal',
  ])
})

test('takes resources and component of the entrypoint from home', () => {
  const [home, rehearsal] = ['home', 'rehearsal'].map(cluster => parse(readText(`clusters/${cluster}/flux-system/kustomization.yaml`)) as object)
  const install = /^https?:\/\/.*\/install\.yaml$/
  assert.equal(listAt<string>(home, 'resources').filter(name => !install.test(name)), ['../platform-settings.yaml'])
  assert.equal(listAt<string>(rehearsal, 'resources').filter(name => !install.test(name)), ['../../home/platform-settings.yaml'])
  assert.equal([at(home, 'components'), at(rehearsal, 'components')], [['sync'], ['../../home/flux-system/sync']])
})

test.run()
