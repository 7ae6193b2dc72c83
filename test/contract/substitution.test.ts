/** Strict substitution: nothing unset, nothing unescaped, text stays text. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { substitute } from '../../tasks/lib/substitute.ts'
import { type Cluster, layersOf, platformOf, renderText, sourceSecret, variablesOf } from './support-chain.ts'
import { at, leaves, manifestFiles, readText } from './support-manifests.ts'
import { variablesIn } from './support-substitute.ts'

const test = suite('substitution')

for (const cluster of ['home', 'rehearsal'] satisfies Cluster[]) {
  test(`${cluster} leaves no variable unset`, async () => { await platformOf(cluster) })

  test(`${cluster} sets every variable in the layer that uses it`, async () => {
    const { layers, objects } = await platformOf(cluster)
    const known = [...objects.values()].flat().concat(sourceSecret)
    for (const layer of layers) {
      const unset = variablesIn(await renderText(layer)).filter(name => variablesOf(layer, known)[name] === undefined)
      assert.equal(unset, [], layer.metadata.name)
    }
  })
}

test('a layer without substitution has nothing to substitute', async () => {
  for (const layer of await layersOf('home')) {
    if (at(layer, 'spec.postBuild') === undefined) assert.equal(variablesIn(await renderText(layer)), [], layer.metadata.name)
  }
})

test('only what the collectors read for themselves is left over', async () => {
  const { objects } = await platformOf('home')
  const left = [...objects].flatMap(([, found]) => found).flatMap(one => leaves(one)).flatMap(([, value]) => typeof value === 'string' ? variablesIn(value) : [])
  assert.equal([...new Set(left)].sort(), ['env:HYPERDX_API_KEY', 'env:OTLP_AUTH_TOKEN'])
})

test('every ${env:…} in Git is escaped', () => {
  const unescaped = manifestFiles().filter(file => /(?<!\$)\$\{env:/.test(readText(file)))
  assert.equal(unescaped, [])
})

test('a secret of digits stays text', async () => {
  const { objects } = await platformOf('home')
  const created = objects.get('runtime-inputs') ?? []
  const values = created.flatMap(one => leaves({ ...(one.data as object | undefined), ...(one.stringData as object | undefined) }))
  for (const [key, value] of values) assert.type(value, 'string', key)
  const oauth = created.find(one => one.metadata.name === 'oauth2-proxy-runtime-inputs')
  assert.is(at(oauth, 'stringData.client-id'), '12345678901234567890123456789012')
})

const faults: [string, string, RegExp][] = [
  ['an unset variable', 'host: ${BASE_DOMAIN}', /variable not set: BASE_DOMAIN/],
  ['an unescaped one of a collector', 'endpoint: ${env:MY_POD_IP}:4317', /variable not set: env:MY_POD_IP/],
]
for (const [what, text, message] of faults) test(`refuses ${what}`, () => { assert.throws(() => substitute(text, {}), message) })

test('takes $$ for a plain $', () => assert.is(substitute('$${env:X} ${A}', { A: 'a' }), '${env:X} a'))

test.run()
