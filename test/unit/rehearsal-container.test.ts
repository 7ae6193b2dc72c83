import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type DeploymentObject, expand, processArgs, revisionOf, serviceAccountOf } from '../../tasks/rehearsal/container.ts'

const place = { folder: '/state/controllers/source-controller', storagePort: 4711 }

function deployment(args: string[], rest: { replicas?: number, deletionTimestamp?: string, namespace?: string } = {}): DeploymentObject {
  const env = [{ name: 'RUNTIME_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }, { name: 'LEVEL', value: 'debug' }]
  const { replicas = 1, namespace = 'flux-system', ...metadata } = rest
  return {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'source-controller', namespace, uid: 'u1', ...metadata },
    spec: { replicas, template: { spec: { serviceAccountName: 'sc', containers: [{ args, env }] } } },
  }
}

const test = suite('rehearsal: a container as a process')

const expansions: [string, string][] = [
  ['--adv=source-controller.$(NS).svc', '--adv=source-controller.flux-system.svc'],
  ['$(NS)/$(NS)', 'flux-system/flux-system'],
  ['$(UNKNOWN)', '$(UNKNOWN)'],
  ['$$(NS)', '$(NS)'],
  ['$NS and ${NS}', '$NS and ${NS}'],
]
for (const [text, expected] of expansions) {
  test(`expands ${text} as kubelet does`, () => assert.is(expand(text, new Map([['NS', 'flux-system']])), expected))
}

test("keeps the Deployment's own arguments in their order, and its variables' values", () => {
  const args = processArgs(deployment(['--concurrent=10', '--requeue-dependency=2s', '--log-level=$(LEVEL)', '--x=$(RUNTIME_NAMESPACE)']), 'kustomize-controller', place)
  assert.equal(args.slice(0, 4), ['--concurrent=10', '--requeue-dependency=2s', '--log-level=debug', '--x=flux-system'])
})
test('drops leader election, however it is written, and nothing that only begins alike', () => {
  const args = processArgs(deployment(['--enable-leader-election', '--enable-leader-election=true', '--leader-election-lease-duration=5s']), 'kustomize-controller', place)
  assert.is(args[0], '--leader-election-lease-duration=5s')
})
test('appends loopback addresses, so that they win over earlier flags', () => {
  const args = processArgs(deployment(['--events-addr=http://notification-controller', '--storage-path=/data', '--storage-adv-addr=x']), 'source-controller', place)
  assert.ok(args.lastIndexOf('--events-addr=') > args.indexOf('--events-addr=http://notification-controller'))
  assert.equal(args.slice(-3), ['--storage-path=/state/controllers/source-controller/data', '--storage-addr=127.0.0.1:4711', '--storage-adv-addr=127.0.0.1:4711'])
})
test('gives storage to source-controller only', () => {
  assert.not.ok(processArgs(deployment([]), 'helm-controller', place).some(arg => arg.startsWith('--storage')))
})
test("leaves cert-manager's arguments as they are", () => {
  const args = processArgs(deployment(['--v=2', '--cluster-resource-namespace=$(RUNTIME_NAMESPACE)'], { namespace: 'cert-manager' }), 'cert-manager', place)
  assert.equal(args, ['--v=2', '--cluster-resource-namespace=cert-manager'])
})

test('runs nothing for a Deployment that is missing, being deleted or scaled to zero', () => {
  assert.is(revisionOf(undefined), undefined)
  assert.is(revisionOf(deployment([], { deletionTimestamp: 'now' })), undefined)
  assert.is(revisionOf(deployment([], { replicas: 0 })), undefined)
})
test('starts anew for changed arguments or another Deployment of the same name, not for a changed status', () => {
  const first = deployment(['--a'])
  assert.is(revisionOf({ ...first, status: { conditions: [] } }), revisionOf(first))
  assert.is.not(revisionOf(deployment(['--b'])), revisionOf(first))
  assert.is.not(revisionOf({ ...first, metadata: { ...first.metadata, uid: 'u2' } }), revisionOf(first))
})
test("uses the pod's ServiceAccount", () => assert.is(serviceAccountOf(deployment([])), 'sc'))

test.run()
