import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { takeMarks } from '../../tasks/lib/marks.ts'
import { blockedLayers, inChainOrder } from '../../tasks/lib/platform-tree.ts'
import { layersToPoke, makeWaker } from '../../tasks/lib/poke.ts'
import { describeTeardown, planTeardown, removalLevels } from '../../tasks/lib/teardown-plan.ts'
import type { KustomizationObject } from '../../tasks/lib/snapshot.ts'
import { OLD_REVISION, REVISION, layer, release, snapshotOf } from './fixtures/platform.ts'

const test = suite('chain')
const chain = [
  layer('app-example', { dependsOn: ['tenants', 'infrastructure-issuers'] }), layer('infrastructure-issuers', { dependsOn: ['infrastructure-controllers'] }),
  layer('platform-services', { dependsOn: ['runtime-inputs'] }), layer('platform-edge', { dependsOn: ['infrastructure-controllers'] }), layer('home'), layer('infrastructure-controllers'),
  layer('runtime-inputs', { inputs: true }), layer('tenants'),
]
const goal = { revision: REVISION, blocked: new Map<string, string>() }

test('orders layers after what they depend on, the root first', () => {
  const order = inChainOrder(chain).map(one => one.metadata.name)
  assert.is(order[0], 'home')
  for (const one of chain) for (const dependency of one.spec?.dependsOn ?? []) assert.ok(order.indexOf(dependency.name) < order.indexOf(one.metadata.name))
})

test('survives a cycle', () => assert.is(inChainOrder([layer('a', { dependsOn: ['b'] }), layer('b', { dependsOn: ['a'] })]).length, 2))

test('blocks only what needs the missing inputs', () => {
  assert.equal([...blockedLayers(chain, ['TOKEN']).keys()].sort(), ['platform-services', 'runtime-inputs'])
  assert.is(blockedLayers(chain, []).size, 0)
})

test('removes dependents before their dependencies', () => {
  assert.equal(removalLevels(chain.filter(one => one.metadata.name !== 'home'), []), [['app-example', 'platform-edge', 'platform-services'], ['infrastructure-issuers', 'runtime-inputs', 'tenants'], ['infrastructure-controllers']])
})

test('removes releases before those of another layer that they depend on', () => {
  const releases = [release('operators', { layer: 'first' }), release('database', { layer: 'second', dependsOn: ['operators'] })]
  assert.equal(removalLevels([layer('first'), layer('second')], []), [['first', 'second']])
  assert.equal(removalLevels([layer('first'), layer('second')], releases), [['second'], ['first']])
})

test('wakes a dependent whose dependency is ready, and no other', () => {
  const waits = { ready: 'False' as const, reason: 'DependencyNotReady' }
  const snapshot = snapshotOf({ kustomizations: [layer('base'), layer('late', { applied: OLD_REVISION }), layer('next', { dependsOn: ['base'], ...waits }), layer('held', { dependsOn: ['late'], ...waits })] })
  assert.equal(layersToPoke(snapshot, goal).map(one => one.name), ['next'])
})

test('restarts a health check only when all it checks is healthy', () => {
  const checking = layer('controllers', { ready: 'Unknown', reconciling: 'Running health checks for revision x', inventory: ['flux-system_web_helm.toolkit.fluxcd.io_HelmRelease'] })
  const poked = (status: 'True' | 'False') => layersToPoke(snapshotOf({ kustomizations: [checking], releases: [release('web', { ready: status })] }), goal).length
  assert.is(poked('True'), 1)
  assert.is(poked('False'), 0)
})

test('lets a health check be that found all healthy when it began, and restarts one that began too early', () => {
  const checking = layer('controllers', { ready: 'Unknown', reconciling: 'Running health checks for revision x', inventory: ['flux-system_web_helm.toolkit.fluxcd.io_HelmRelease'] })
  const seen = (status: 'True' | 'False') => snapshotOf({ kustomizations: [checking], releases: [release('web', { ready: status })] })
  const calm = makeWaker()
  assert.equal([0, 1000, 2500, 3000].map(now => calm(seen('True'), goal, now)), [[], [], ['controllers'], []])
  const early = makeWaker()
  assert.equal([early(seen('False'), goal, 0), early(seen('True'), goal, 100), early(seen('True'), goal, 200)], [[], ['controllers'], []])
  early(snapshotOf({ kustomizations: [layer('controllers')] }), goal, 300)
  assert.equal(early(seen('True'), goal, 4000), [])
})

test('wakes a layer again when its turn has passed: 3 s, and longer where more wait than Flux has workers', () => {
  const waiting = (count: number) => Array.from({ length: count }, (_, index) => layer(`app-${index}`, { dependsOn: ['base'], ready: 'False', reason: 'DependencyNotReady' }))
  const wokenAt = (count: number) => {
    const toWake = makeWaker()
    return [0, 2900, 3100, 5900, 6100].map(now => toWake(snapshotOf({ kustomizations: [layer('base'), ...waiting(count)] }), goal, now).length)
  }
  assert.equal(wokenAt(1), [1, 0, 1, 0, 0])
  assert.equal(wokenAt(20), [20, 0, 0, 0, 20])
})

test('reconciles anew in the order of the chain', () => {
  const before = [layer('home'), layer('base', { dependsOn: ['home'] }), layer('next', { dependsOn: ['base'] })]
  const marks = takeMarks(snapshotOf({ kustomizations: before }))
  const after = before.map(one => ({ ...one, status: { ...one.status, lastHandledReconcileAt: 'since' } }))
  const due = (...seen: KustomizationObject[]) => layersToPoke(snapshotOf({ kustomizations: seen }), { ...goal, marks, anew: true }).map(one => one.name)
  const [home, base, next] = before
  assert.ok(home && base && next && after[0] && after[1])
  assert.equal([due(home, base, next), due(after[0], base, next), due(after[0], after[1], next)], [['home'], ['base'], ['next']])
})

test('leaves a layer with a kind it cannot see to its own health check', () => {
  const checking = layer('jobs', { ready: 'Unknown', reconciling: 'Running health checks', inventory: ['apps_x_batch_Job'] })
  assert.equal(layersToPoke(snapshotOf({ kustomizations: [checking] }), goal), [])
})

const item = (kind: string, name: string, from = 'Kustomization/flux-system/home') => ({ apiVersion: 'v1', kind, name, from })
const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'observability' }, spec: { resources: { requests: { storage: '10Gi' } } } }
const items = [item('Namespace', 'traefik'), item('Namespace', 'mine'), item('Namespace', 'observability'), item('CustomResourceDefinition', 'certs', 'a chart'), item('CustomResourceDefinition', 'old', 'a chart'), item('CustomResourceDefinition', 'flux', 'Flux')]
const neighbours = { namespaces: ['mine'], definitions: ['old'] }

test('leaves namespaces and definitions alone that were there before', () => {
  const plan = planTeardown(snapshotOf({ kustomizations: chain }), items, { root: 'home', neighbours, claims: [claim], keepData: false })
  assert.equal(plan.namespaces, ['traefik', 'observability'])
  assert.equal(plan.definitions, ['certs'])
  assert.equal(plan.neighbourDefinitions, ['old'])
  assert.equal(plan.proof.map(one => one.name), ['traefik', 'observability', 'certs', 'flux'])
  assert.match(describeTeardown(plan, snapshotOf({ kustomizations: chain }), { keepData: false }).join('\n'), 'data lost: PersistentVolumeClaim/observability/data 10Gi')
})

test('keeps the namespace of a volume with KEEP_DATA', () => {
  const plan = planTeardown(snapshotOf({ kustomizations: chain }), items, { root: 'home', neighbours, claims: [claim], keepData: true })
  assert.equal(plan.namespaces, ['traefik'])
  assert.equal(plan.kept, ['observability'])
  assert.match(describeTeardown(plan, snapshotOf({ kustomizations: chain }), { keepData: true }).join('\n'), 'data kept: PersistentVolumeClaim/observability/data 10Gi')
  assert.not.ok(plan.proof.some(one => one.name === 'observability'))
})

test.run()
