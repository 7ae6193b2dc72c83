import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connectApi } from '../../tasks/lib/api.ts'
import { lateError } from '../../tasks/lib/late.ts'
import { takeMarks } from '../../tasks/lib/marks.ts'
import { refOf } from '../../tasks/lib/objects.ts'
import type { CertificateObject, ChartSourceObject, GitRepositoryObject, Snapshot } from '../../tasks/lib/snapshot.ts'
import { findFaults, stuckError } from '../../tasks/lib/stuck.ts'
import { OLD_REVISION, REVISION, layer, release, snapshotOf } from './fixtures/platform.ts'

const test = suite('stuck')
const goal = { revision: REVISION, blocked: new Map<string, string>() }
const faultsOf = (parts: Partial<Snapshot>, before?: Partial<Snapshot>): string[] =>
  findFaults(snapshotOf(parts), before ? { ...goal, marks: takeMarks(snapshotOf(before)) } : goal).map(({ object }) => refOf(object))

const unknown = "no 'web' chart with version matching '9.9.9' found"
const chart = (version = '1.0.0'): ChartSourceObject => ({
  apiVersion: 'v1', kind: 'HelmChart', metadata: { name: 'flux-system-web', namespace: 'flux-system', generation: 1 },
  spec: { version }, status: { observedGeneration: 1, conditions: [{ type: 'Ready', status: 'False', message: unknown }] },
})
const services = (phase: 'checking' | 'old') => layer('services', {
  ready: 'Unknown', inventory: ['flux-system_web_helm.toolkit.fluxcd.io_HelmRelease'],
  ...(phase === 'checking' ? { reconciling: 'Running health checks for revision x' } : { attempted: OLD_REVISION, applied: OLD_REVISION }),
})
const web = release('web', { ready: 'False', message: 'HelmChart is not ready' })

test('names the chart of a release whose manifests are those of the commit', () =>
  assert.equal(faultsOf({ kustomizations: [services('checking')], releases: [web], helmCharts: [chart()] }), ['HelmChart/flux-system/flux-system-web']))
test('lets a release be whose layer has yet to apply the commit', () =>
  assert.equal(faultsOf({ kustomizations: [services('old')], releases: [web], helmCharts: [chart()] }), []))
test('lets a chart be that the release no longer asks for', () =>
  assert.equal(faultsOf({ kustomizations: [services('checking')], releases: [web], helmCharts: [chart('9.9.9')] }), []))
test('lets a verdict be that was there before', () =>
  assert.equal(faultsOf({ kustomizations: [services('checking')], releases: [web], helmCharts: [chart()] }, { helmCharts: [chart()] }), []))

const lost = (time: string) => {
  const one = layer('app', { ready: 'False', reason: 'ArtifactFailed', message: 'kustomization path not found: stat /tmp/x: no such file or directory', attempted: OLD_REVISION, applied: OLD_REVISION })
  return { ...one, status: { ...one.status, conditions: one.status?.conditions?.map(condition => ({ ...condition, lastTransitionTime: time })) ?? [] } }
}
const source: GitRepositoryObject = {
  apiVersion: 'v1', kind: 'GitRepository', metadata: { name: 'home', namespace: 'flux-system', generation: 1 }, spec: { url: '' },
  status: { observedGeneration: 1, artifact: { revision: REVISION, lastUpdateTime: '2026-01-01T00:00:10Z' }, conditions: [{ type: 'Ready', status: 'True' }] },
}
test('finds a path missing since the commit came', () => assert.equal(faultsOf({ gitRepositories: [source], kustomizations: [lost('2026-01-01T00:00:11Z')] }), ['Kustomization/flux-system/app']))
test('lets a path be that was missing before', () => assert.equal(faultsOf({ gitRepositories: [source], kustomizations: [lost('2026-01-01T00:00:09Z')] }), []))

const suspended = layer('app', { suspend: true })
test('finds a suspended layer, once the root has applied what may resume it', () => {
  assert.equal(faultsOf({ kustomizations: [layer('home'), suspended] }), ['Kustomization/flux-system/app'])
  assert.equal(faultsOf({ kustomizations: [layer('home', { applied: OLD_REVISION }), suspended] }), [])
})

const certificate: CertificateObject = {
  apiVersion: 'v1', kind: 'Certificate', metadata: { name: 'web', namespace: 'apps', generation: 1 }, spec: { secretName: 'x', issuerRef: { name: 'y' } },
  status: { conditions: [{ type: 'Issuing', status: 'False', reason: 'Failed', message: 'order is invalid', observedGeneration: 1 }, { type: 'Ready', status: 'False' }] },
}
test('gives up on a certificate that cert-manager gave up on, when nothing else is left', () => {
  assert.equal(faultsOf({ kustomizations: [layer('home')], certificates: [certificate] }), ['Certificate/apps/web'])
  assert.equal(faultsOf({ kustomizations: [layer('home', { applied: OLD_REVISION })], certificates: [certificate] }), [])
})

test('tells every fault, the first in full', async () => {
  const [first, ...others] = findFaults(snapshotOf({ kustomizations: [layer('home'), suspended, layer('tenants', { suspend: true })] }), goal)
  assert.ok(first)
  const { message, details } = await stuckError([first, ...others])
  assert.is(message, 'Kustomization/flux-system/app is suspended')
  assert.match(details.why ?? '', 'also Kustomization/flux-system/tenants · clusters/home/tenants.yaml')
  assert.match(details.fix ?? '', 'kubectl -n flux-system patch kustomization app')
})

const many = Array.from({ length: 15 }, (_, index) => layer(`app-${index}`, { suspend: true, ready: 'False', message: `broken ${index}`, applied: OLD_REVISION }))
const linesOf = (why = ''): string[] => why.split('\n')
test('tells eleven of many faults, and how many there are besides', async () => {
  const [first, ...others] = findFaults(snapshotOf({ kustomizations: [layer('home'), ...many] }), goal)
  assert.ok(first)
  const { details } = await stuckError([first, ...others])
  assert.is(linesOf(details.why).filter(line => line.startsWith('also ')).length, 10)
  assert.is(linesOf(details.why).at(-1), 'and 4 more')
})
test('tells the causes of ten late layers, and how many there are besides', async () => {
  const { details } = await lateError(connectApi('/nowhere'), snapshotOf({ kustomizations: [layer('home'), ...many] }), { goal, deadline: 1000, reason: 'late' })
  assert.is(linesOf(details.why).length, 11)
  assert.is(linesOf(details.why).at(-1), 'and 5 more')
})

test.run()
