/** The Flux Kustomizations: complete, in the order of the design, each in the file of its name. */
import { existsSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from '../../tasks/lib/repository.ts'
import { type Cluster, layersOf, platformOf, root, sourceSecret, sourcesOf } from './support-chain.ts'
import { type Manifest, at, listAt, parseManifests, readText } from './support-manifests.ts'

const test = suite('chain')

/** DESIGN §4, but for platform-services: what needs the controllers' definitions is in platform-edge, so that releases need not wait. */
const chain: Record<string, string[]> = {
  'app-example': ['infrastructure-issuers', 'tenants'],
  'infrastructure-controllers': [],
  'infrastructure-issuers': ['home', 'infrastructure-controllers'],
  'platform-edge': ['infrastructure-issuers'],
  'platform-services': ['home', 'runtime-inputs'],
  'runtime-inputs': [],
  tenants: [],
}
const required = ['deletionPolicy', 'interval', 'path', 'prune', 'retryInterval', 'sourceRef.kind', 'sourceRef.name', 'timeout', 'wait']

const dependenciesOf = (layer: Manifest): string[] => listAt<{ name: string }>(layer, 'spec.dependsOn').map(one => one.name).sort()
const layerOf = async (name: string): Promise<Manifest> => {
  const layer = (await layersOf('home')).find(one => one.metadata.name === name)
  assert.ok(layer, name)
  return layer as Manifest
}

for (const cluster of ['home', 'rehearsal'] satisfies Cluster[]) {
  test(`${cluster} states every field that decides how a layer behaves`, async () => {
    for (const layer of [await root(), ...await layersOf(cluster)]) {
      for (const field of required) assert.ok(at(layer, `spec.${field}`) !== undefined, `${layer.metadata.name}: spec.${field}`)
      assert.is(at(layer, 'spec.deletionPolicy'), 'WaitForTermination')
      assert.is(at(layer, 'spec.prune'), true)
      assert.is(layer.metadata.namespace, 'flux-system')
    }
  })

  test(`${cluster} has the order of the design`, async () => {
    const found = Object.fromEntries((await layersOf(cluster)).map(layer => [layer.metadata.name, dependenciesOf(layer)]))
    assert.equal(found, chain)
  })
}

test('only the root does not wait', async () => {
  assert.is(at(await root(), 'spec.wait'), false)
  for (const layer of await layersOf('home')) assert.is(at(layer, 'spec.wait'), true, layer.metadata.name)
})

test('what substitutes the settings comes after them, and nothing else does', async () => {
  const isAfterRoot = (name: string): boolean => name === 'home' || (chain[name] ?? []).some(isAfterRoot)
  for (const layer of await layersOf('home')) {
    const substitutes = sourcesOf(layer).some(source => source.name === 'platform-settings')
    assert.is(isAfterRoot(layer.metadata.name), substitutes, layer.metadata.name)
  }
})

test('no layer waits for itself, however many steps away', () => {
  const reach = (name: string, seen: string[] = []): void => {
    assert.not(seen.includes(name), [...seen, name].join(' → '))
    for (const next of chain[name] ?? []) reach(next, [...seen, name])
  }
  Object.keys(chain).forEach(name => reach(name))
})

test('every layer comes from the one source, and its path exists', async () => {
  for (const layer of [await root(), ...await layersOf('home')]) {
    assert.equal(at(layer, 'spec.sourceRef'), { kind: 'GitRepository', name: 'home' })
    assert.match(String(at(layer, 'spec.path')), /^\.\//)
    assert.ok(existsSync(inRepository(String(at(layer, 'spec.path')), 'kustomization.yaml')), String(at(layer, 'spec.path')))
  }
})

test('a layer is in the file of its name', async () => {
  for (const layer of await layersOf('home')) {
    assert.is(parseManifests(readText(`clusters/home/${layer.metadata.name}.yaml`))[0]?.metadata.name, layer.metadata.name)
  }
})

test('the mode of the app is one line', () => {
  const paths = readText('clusters/home/app-example.yaml').split('\n').filter(line => /^\s*path:/.test(line))
  assert.is(paths.length, 1)
  assert.match(paths[0] ?? '', /^ {2}path: \.\/tenants\/apps\/example\/overlays\/(staging|prod)-le-(staging|prod)$/)
})

test('a change of runtime inputs is seen at once; one of the settings comes with its commit and wakes nobody twice', async () => {
  const { layers, objects } = await platformOf('home')
  const known = [...objects.values()].flat().concat(sourceSecret)
  for (const { kind, name } of layers.flatMap(sourcesOf)) {
    const source = known.find(one => one.kind === kind && one.metadata.name === name)
    assert.is(source?.metadata.labels?.['reconcile.fluxcd.io/watch'], name === 'platform-settings' ? undefined : 'Enabled', name)
  }
})

test('the source Secret is read by one layer', async () => {
  const readers = (await layersOf('home')).filter(layer => sourcesOf(layer).some(source => source.kind === 'Secret'))
  assert.equal(readers.map(layer => layer.metadata.name), ['runtime-inputs'])
})

test('a layer with a Certificate is not held up by its issuance', async () => {
  const { objects } = await platformOf('home')
  for (const [name, found] of objects) {
    if (!found.some(one => one.kind === 'Certificate')) continue
    const rule = listAt(await layerOf(name), 'spec.healthCheckExprs').find(one => one.kind === 'Certificate')
    assert.is(rule?.current, 'true', name)
  }
})

test('the issuers wait until they are Ready, and apart from what brings their CRD', async () => {
  const { objects } = await platformOf('home')
  const layer = await layerOf('infrastructure-issuers')
  assert.match(String(listAt(layer, 'spec.healthCheckExprs').find(one => one.kind === 'ClusterIssuer')?.current), /c\.type == 'Ready' && c\.status == 'True'/)
  assert.equal(objects.get('infrastructure-issuers')?.map(one => one.kind), ['ClusterIssuer', 'ClusterIssuer'])
  assert.not(objects.get('infrastructure-controllers')?.some(one => one.kind === 'ClusterIssuer'))
})

test.run()
