import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { KubeObject } from '../../tasks/lib/objects.ts'
import { boundOf } from '../bench/bound.ts'
import type { History, Sighting } from '../bench/recorder.ts'
import { type PartSamples, spreadOf } from '../bench/samples.ts'
import { ratios, renderTables } from '../bench/table.ts'

const revision = 'main@sha1:0123'
const flux = { namespace: 'flux-system', generation: 1 }

function layer(name: string, state: 'fetching' | 'checking' | 'ready', options: { dependsOn?: string[], release?: string } = {}): KubeObject {
  const words = { fetching: `Fetching manifests for revision ${revision}`, checking: `Running health checks for revision ${revision}`, ready: '' }[state]
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization', metadata: { name, ...flux },
    spec: { wait: true, dependsOn: (options.dependsOn ?? []).map(other => ({ name: other })) },
    status: {
      observedGeneration: 1, ...state === 'ready' ? { lastAppliedRevision: revision } : {},
      inventory: { entries: options.release ? [{ id: `flux-system_${options.release}_helm.toolkit.fluxcd.io_HelmRelease`, v: 'v2' }] : [] },
      conditions: state === 'ready' ? [{ type: 'Ready', status: 'True' }] : [{ type: 'Ready', status: 'Unknown' }, { type: 'Reconciling', status: 'True', message: words }],
    },
  }
}

function release(name: string, state: 'installing' | 'ready'): KubeObject {
  const conditions: NonNullable<KubeObject['status']>['conditions'] = state === 'ready' ? [{ type: 'Ready', status: 'True' }] : [{ type: 'Ready', status: 'Unknown' }, { type: 'Reconciling', status: 'True', message: 'Running \'install\' action with timeout of 10m0s' }]
  return { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', metadata: { name, ...flux }, spec: { chartRef: { kind: 'OCIRepository', name } }, status: { observedGeneration: 1, conditions } }
}

const source: KubeObject = { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'GitRepository', metadata: { name: 'home', ...flux }, status: { artifact: { revision } } }
const seen = (...sightings: [number, KubeObject][]): Sighting[] => sightings.map(([at, object]) => ({ at, object }))

const test = suite('bench')

test('spreads an odd and an even number of values', () => {
  assert.equal(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3, count: 3 })
  assert.equal(spreadOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4, count: 4 })
  assert.is(spreadOf([]), undefined)
})

test('divides run by run, and leaves out runs that lack one of the two', () => {
  const part = { series: { a: [2, 9, 4], b: [1, 3] } } as unknown as PartSamples
  assert.equal(ratios(part, 'a', 'b'), [2, 3])
})

test('marks what was not measured', () => {
  assert.match(renderTables({}), '| not measured |')
})

test('the bound leaves out waits for a dependency and for a health check, and keeps work', () => {
  const history: History = new Map([
    ['GitRepository/flux-system/home', seen([1000, source])],
    ['Kustomization/flux-system/base', seen([1100, layer('base', 'fetching', { release: 'web' })], [2100, layer('base', 'checking', { release: 'web' })], [9000, layer('base', 'ready', { release: 'web' })])],
    ['HelmRelease/flux-system/web', seen([2200, release('web', 'installing')], [5200, release('web', 'ready')])],
    ['Kustomization/flux-system/top', seen([30_000, layer('top', 'fetching', { dependsOn: ['base'] })], [30_500, layer('top', 'ready', { dependsOn: ['base'] })])],
  ])
  const { seconds, path } = boundOf(history, { revision, begin: 0 })
  // fetched 1.0, base applied 1.0, release 3.0, top applied 0.5
  assert.is(seconds, 5.5)
  assert.equal(path.map(({ step }) => step), ['source', 'base applied', 'release web', 'base ready', 'top applied', 'top ready'])
  assert.is(path.reduce((sum, { work, waited }) => sum + work + waited, 0), 30.5)
})

test.run()
