/** Everything from outside is pinned, and the rehearsal's stand-ins stand for exactly those pins. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parse } from 'yaml'
import { inRepository } from '../../tasks/lib/repository.ts'
import { at, holdersOf, manifestFiles, parseManifests, readText } from './support-manifests.ts'

const test = suite('pins')

const CHARTS = 'clusters/rehearsal/charts'
const manifests = manifestFiles().flatMap(file => parseManifests(readText(file)))
const version = /^v?\d+\.\d+\.\d+$/

/** Chart → version, from OCI tags and chart specs. */
const pinned = Object.fromEntries(manifests.flatMap((one): [string, string][] => {
  if (one.kind === 'OCIRepository') return [[path.basename(String(at(one, 'spec.url'))), String(at(one, 'spec.ref.tag'))]]
  const chart = at(one, 'spec.chart.spec')
  return one.kind === 'HelmRelease' && chart !== undefined ? [[String(at(chart, 'chart')), String(at(chart, 'version'))]] : []
}))

test('every chart has one exact version', () => {
  assert.is(Object.keys(pinned).length, 6)
  for (const [chart, pin] of Object.entries(pinned)) assert.match(pin, version, chart)
})

test('every stand-in has the version of the chart it stands for', () => {
  const standIns = readdirSync(inRepository(CHARTS)).map(folder => parse(readText(`${CHARTS}/${folder}/Chart.yaml`)) as { name: string, version: string })
  assert.equal(Object.fromEntries(standIns.map(chart => [chart.name, chart.version])), pinned)
})

test('a source is named for its chart, or for its publisher', () => {
  for (const one of manifests.filter(one => one.kind === 'OCIRepository')) assert.is(path.basename(String(at(one, 'spec.url'))), one.metadata.name)
})

test('both entrypoints install one version of Flux', () => {
  const urls = ['home', 'rehearsal'].map(cluster => /https?:\/\/\S+\/(v[\d.]+)\/install\.yaml/.exec(readText(`clusters/${cluster}/flux-system/kustomization.yaml`))?.[1])
  assert.match(urls[0] ?? '', version)
  assert.is(urls[0], urls[1])
})

test('every image has an exact tag', () => {
  const images = manifests.flatMap(one => holdersOf(one.spec, 'image')).map(holder => holder.image).filter(image => typeof image === 'string')
  assert.ok(images.length > 0)
  for (const image of images) assert.match(image, /^[\w.-]+\.[\w.-]+\/[\w./-]+:v?\d+\.\d+\.\d+$/, image)
})

test('images of stand-ins are pinned by their chart', () => {
  for (const file of readdirSync(inRepository(CHARTS), { recursive: true, encoding: 'utf8' }).filter(file => /templates\/.*\.yaml$/.test(file))) {
    const images = readText(`${CHARTS}/${file}`).split('\n').filter(line => /^\s*image: /.test(line) && !line.includes('$operator.image'))
    for (const image of images) assert.match(image, /:v?\{\{ \$?\.Chart\.AppVersion \}\}$/, file)
  }
})

test('nothing is latest', () => {
  for (const file of manifestFiles([...['clusters/home', 'clusters/rehearsal', 'infrastructure', 'platform-services', 'tenants']])) {
    assert.not.match(readText(file), /[:@]latest\b/, file)
  }
})

test.run()
