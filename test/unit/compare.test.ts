import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ManagedFields, additions, describeDifference, differences, editorOf } from '../../tasks/lib/compare.ts'
import type { KubeObject } from '../../tasks/lib/objects.ts'

const test = suite('compare')
const secrets = ['Canary0Secret4c2b8e61f7']

function deployment(spec: Record<string, unknown>, metadata: Record<string, unknown> = {}): KubeObject {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'apps', ...metadata }, spec }
}
const containers = (...list: Record<string, unknown>[]) => ({ template: { spec: { containers: list } } })
const wordsOf = (live: KubeObject, wanted: KubeObject): string[] => differences(live, wanted).map(one => describeDifference(one, { kind: live.kind, secrets }))

const cases: [string, Record<string, unknown>, Record<string, unknown>, string[]][] = [
  ['the same', { replicas: 1 }, { replicas: 1 }, []],
  ['a number', { replicas: 0 }, { replicas: 1 }, ['spec.replicas is 0, Git says 1']],
  ['a switch', { paused: true }, { paused: false }, ['spec.paused is true, Git says false']],
  ['a text', { a: 'x' }, { a: 'y' }, ['spec.a is "x", Git says "y"']],
  ['an item by its name', containers({ name: 'a', image: 'i:1' }), containers({ name: 'a', image: 'i:2' }), ['spec.template.spec.containers[a].image is "i:1", Git says "i:2"']],
  ['an item by its place', { args: ['-a', '-b'] }, { args: ['-a', '-c'] }, ['spec.args[1] is "-b", Git says "-c"']],
  ['an item that is missing', containers(), containers({ name: 'a', image: 'i' }), ['spec.template.spec.containers[a] is missing']],
  ['a field that is missing', {}, { replicas: 1 }, ['spec.replicas is missing']],
  ['a field that Git took away', { paused: true }, {}, ['spec.paused is not in Git']],
  ['another type', { a: ['x'] }, { a: { x: '1' } }, ['spec.a differs from Git']],
  ['an empty map where a text shall be', { a: {} }, { a: 'x' }, ['spec.a differs from Git']],
  ['a long text without its words', { a: 'x'.repeat(80) }, { a: 'y' }, ['spec.a differs from Git']],
  ['a variable without its value', containers({ name: 'a', env: [{ name: 'X', value: 'hunter2' }] }), containers({ name: 'a', env: [{ name: 'X', value: 'other' }] }), ['spec.template.spec.containers[a].env[X].value differs from Git']],
  ['a known secret wherever it stands', { a: `u:${secrets[0]}` }, { a: 'y' }, ['spec.a differs from Git']],
  ['a known secret in Git\'s place', { a: 'y' }, { a: secrets[0] }, ['spec.a differs from Git']],
]
for (const [name, live, wanted, expected] of cases) test(name, () => assert.equal(wordsOf(deployment(live), deployment(wanted)), expected))

test('a status, a version and a manager are no difference', () => {
  const live = { ...deployment({ replicas: 1 }, { resourceVersion: '2', generation: 2, managedFields: [{ manager: 'x' }] }), status: { replicas: 1 } }
  assert.equal(differences(live, deployment({ replicas: 1 }, { resourceVersion: '3', generation: 3 })), [])
})

// a NetworkPolicy's `ingress: [{}]` lets everybody in, `ingress: []` nobody
test('an empty rule is more than none', () => assert.equal(wordsOf(deployment({ ingress: [{}] }), deployment({ ingress: [] })), ['spec.ingress[0] is not in Git']))

test('of a Secret only keys are named', () => {
  const secret = (data: Record<string, string>): KubeObject => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, data } as KubeObject)
  const words = wordsOf(secret({ user: 'YQ==', pin: 'MTIzNA==', more: 'Yg==' }), secret({ user: 'Yg==', pin: 'MTIzNA==', less: 'Yw==' }))
  assert.equal(words.sort(), ['data.less is missing', 'data.more is not in Git', 'data.user differs from Git'])
})

const manager = (name: string, fieldsV1: Record<string, unknown>, more: Partial<ManagedFields> = {}): ManagedFields => ({ manager: name, operation: 'Update', time: '2026-01-02T03:04:05Z', fieldsV1, ...more })
const replicas = { 'f:spec': { 'f:replicas': {} } }

const editors: [string, ManagedFields[], string | undefined][] = [
  ['nobody', [], undefined],
  ['Git\'s own manager', [manager('kustomize-controller', replicas, { operation: 'Apply' })], undefined],
  ['an editor', [manager('kubectl-edit', replicas)], 'edited by kubectl-edit at 2026-01-02T03:04:05Z'],
  ['who scaled it', [manager('kubectl', replicas, { subresource: 'scale' })], 'scaled by kubectl at 2026-01-02T03:04:05Z'],
  ['the newest of two', [manager('a', replicas, { time: '2026-01-01T00:00:00Z' }), manager('b', replicas)], 'edited by b at 2026-01-02T03:04:05Z'],
  ['not who wrote the status', [manager('kube-controller-manager', replicas, { subresource: 'status' })], undefined],
  ['not who edited another field', [manager('kubectl-edit', { 'f:spec': { 'f:paused': {} } })], undefined],
]
for (const [name, managedFields, expected] of editors) {
  test(`finds ${name}`, () => assert.is(editorOf(deployment({ replicas: 0 }, { managedFields }), [{ path: ['spec', 'replicas'], live: 0, wanted: 1 }], 'kustomize-controller'), expected))
}

test('what kubectl added and Git does not know', () => {
  const fields = {
    'f:metadata': { 'f:labels': { 'f:mine': {} }, 'f:annotations': { 'f:reconcile.fluxcd.io/requestedAt': {} } },
    'f:spec': { 'f:paused': {}, 'f:replicas': {}, 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"a"}': { 'f:env': { '.': {}, 'k:{"name":"X"}': { '.': {}, 'f:name': {}, 'f:value': {} } } } } } } },
  }
  const meta = { labels: { mine: 'x' }, annotations: { 'reconcile.fluxcd.io/requestedAt': 'now' }, managedFields: [manager('kubectl-patch', fields), manager('other', { 'f:spec': { 'f:theirs': {} } })] }
  const live = deployment({ replicas: 3, paused: true, theirs: 1, ...containers({ name: 'a', env: [{ name: 'X', value: 'hunter2' }] }) }, meta)
  const found = additions(live, deployment({ replicas: 1, ...containers({ name: 'a' }) }))
  assert.equal(found.map(one => describeDifference(one, { kind: 'Deployment', secrets })).sort(), [
    'metadata.labels.mine is not in Git', 'spec.paused is not in Git',
    'spec.template.spec.containers[a].env[X].name is not in Git', 'spec.template.spec.containers[a].env[X].value is not in Git',
  ])
})

test.run()
