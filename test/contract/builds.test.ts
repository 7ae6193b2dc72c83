/** Every manifest file is part of what kustomize builds, and says which schema it follows. */
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { build } from './support-kustomize.ts'
import { entrypoint } from './support-chain.ts'
import { listAt, manifestFiles, parseManifests, readText, refOf } from './support-manifests.ts'

const test = suite('manifest files')

const files = manifestFiles()
const overlays = files.filter(file => path.basename(file) === 'kustomization.yaml')
const isComponent = (file: string): boolean => (parse(readText(file)) as { kind: string }).kind === 'Component'
/** The release's own manifest is fetched there; entrypoint() builds them over a fixture. */
const isEntrypoint = (file: string): boolean => path.dirname(file).endsWith('/flux-system')
/** Read by kustomize itself: a patch or a replacement, no object of the cluster. */
const isPart = (file: string): boolean => !('kind' in parseFirst(file)) || '$patch' in parseFirst(file)
const parseFirst = (file: string): object => parse(readText(file)) as object

function filesNamedIn(overlay: string): string[] {
  const content = parse(readText(overlay)) as object
  const named = [...listAt<string>(content, 'resources'), ...listAt<string>(content, 'components'),
    ...[...listAt(content, 'patches'), ...listAt(content, 'replacements')].flatMap(one => typeof one.path === 'string' ? [one.path] : [])]
  return named.filter(name => !name.includes('://')).map(name => path.join(path.dirname(overlay), name))
}

for (const overlay of overlays.filter(file => !isComponent(file) && !isEntrypoint(file))) {
  test(`${path.dirname(overlay)} builds`, async () => {
    const objects = await build(path.dirname(overlay))
    assert.is(new Set(objects.map(refOf)).size, objects.length, 'two objects of one name')
  })
}

for (const overlay of overlays.filter(isComponent)) {
  test(`${path.dirname(overlay)} is composed into something`, () => {
    assert.ok(overlays.some(other => filesNamedIn(other).includes(path.dirname(overlay))))
  })
}

test('the entrypoints build over the shape of the release', async () => assert.ok((await entrypoint()).length > 0))

test('no file is forgotten by its kustomization', () => {
  const named = new Set(overlays.flatMap(filesNamedIn))
  // a folder is named by its overlay, or by a Flux Kustomization
  assert.equal(files.filter(file => !overlays.includes(file) && !named.has(file)), [])
})

test('a file holds one resource and is named for its kind, or after the layer it is', () => {
  for (const file of files.filter(file => !overlays.includes(file) && !isPart(file))) {
    const [manifest, ...more] = parseManifests(readText(file))
    assert.is(more.length, 0, file)
    if (manifest === undefined || /^clusters\/\w+\/[\w-]+\.yaml$/.test(file)) continue
    const name = path.basename(file, '.yaml')
    assert.ok(name === manifest.kind.toLowerCase() || name.startsWith(`${manifest.kind.toLowerCase()}-`), file)
  }
})

test('the first line names the schema', () => {
  const without = files.filter(file => !isPart(file) && !/^# yaml-language-server: \$schema=https:\/\/\S+\.json$/.test(readText(file).split('\n')[0] ?? ''))
  assert.equal(without.filter(file => !/-args\.yaml$/.test(file)), [])
})

test.run()
