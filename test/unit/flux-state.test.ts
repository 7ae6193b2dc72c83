import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inventoryOf, isUnrecoverable, judgeKustomization, shortRevision } from '../../tasks/lib/flux-state.ts'
import { judgeRelease } from '../../tasks/lib/release-state.ts'
import { OLD_REVISION, REVISION, layer, release, snapshotOf } from './fixtures/platform.ts'

const test = suite('flux-state')

const layers: [string, ReturnType<typeof layer>, string][] = [
  ['is ready at the revision', layer('a'), 'ready'],
  ['works while it has another revision', layer('a', { applied: OLD_REVISION }), 'working'],
  ['works while its newest spec is not seen', layer('a', { generation: 0 }), 'working'],
  ['waits for a dependency', layer('a', { ready: 'False', reason: 'DependencyNotReady', message: "dependency 'flux-system/b' is not ready" }), 'waiting'],
  ['works while health checks run', layer('a', { ready: 'Unknown', reason: 'Progressing', reconciling: 'Running health checks' }), 'working'],
  ['forgets the failure of an older revision', layer('a', { ready: 'False', reason: 'BuildFailed', message: 'kustomize build failed', attempted: OLD_REVISION, applied: OLD_REVISION }), 'working'],
  ['is stuck on a build error', layer('a', { ready: 'False', reason: 'BuildFailed', message: 'kustomize build failed: accumulating resources' }), 'stuck'],
  ['is stuck on a missing overlay', layer('a', { ready: 'False', reason: 'ArtifactFailed', message: 'kustomization path not found: stat /tmp/x: no such file or directory' }), 'stuck'],
  ['is stuck on an unset variable', layer('a', { ready: 'False', reason: 'BuildFailed', message: 'post build failed: envsubst error: variable substitution failed: variable not set (strict mode): "X"' }), 'stuck'],
  ['is stuck on an invalid manifest', layer('a', { ready: 'False', reason: 'ReconciliationFailed', message: 'Deployment/apps/x dry-run failed (Invalid): Deployment.apps "x" is invalid: spec.replicas: Invalid value' }), 'stuck'],
  ['only fails while a webhook does not answer', layer('a', { ready: 'False', reason: 'ReconciliationFailed', message: 'dry-run failed (InternalError): failed calling webhook: connection refused' }), 'failed'],
  ['only fails while a kind is not there yet', layer('a', { ready: 'False', reason: 'ReconciliationFailed', message: 'ClusterIssuer/x dry-run failed: no matches for kind "ClusterIssuer" in version "cert-manager.io/v1"' }), 'failed'],
  ['is stuck while suspended', layer('a', { suspend: true }), 'stuck'],
]
for (const [name, object, state] of layers) test(name, () => assert.is(judgeKustomization(object, REVISION).state, state))

const words: [string, boolean][] = [
  ['failed to pull: MANIFEST_UNKNOWN: manifest unknown', true],
  ["invalid chart reference: failed to get chart version for remote reference: no 'clickstack' chart with version matching '9.9.9' found", true],
  ["values don't meet the specifications of the schema(s) in the following chart(s)", true],
  ['dial tcp 127.0.0.1:5000: connect: connection refused', false],
  ['context deadline exceeded', false],
]
for (const [text, final] of words) test(`${final ? 'gives up on' : 'waits on'}: ${text.slice(0, 40)}`, () => assert.is(isUnrecoverable(text), final))

test('waits for the pinned chart version', () => {
  assert.is(judgeRelease(release('x'), snapshotOf({})).state, 'ready')
  assert.match(judgeRelease(release('x', { version: '0.9.0' }), snapshotOf({})).words, '0.9.0')
})

test('does not take what a release says of an earlier chart for its cause', () => {
  const fault = "no 'x' chart with version matching '9.9.9' found"
  const failing = { type: 'Ready', status: 'False' as const, message: fault, observedGeneration: 1 }
  const asked = { apiVersion: 'v1', kind: 'HelmChart', metadata: { name: 'flux-system-x', namespace: 'flux-system', generation: 2 }, spec: { version: '1.0.0' }, status: { conditions: [failing] } }
  const judged = judgeRelease(release('x', { ready: 'False', message: `HelmChart 'flux-system/flux-system-x' is not ready: ${fault}` }), snapshotOf({ helmCharts: [asked] }))
  assert.equal(judged, { state: 'working', words: 'waits for its chart' })
})

test('takes a chart that cannot be had as the cause of a release', () => {
  const chart = { apiVersion: 'v1', kind: 'HelmChart', metadata: { name: 'flux-system-x', namespace: 'flux-system', generation: 1 }, status: { conditions: [{ type: 'Ready', status: 'False' as const, message: "no 'x' chart with version matching '1.0.0' found" }] } }
  const judged = judgeRelease(release('x', { ready: 'False', message: 'HelmChart is not ready' }), snapshotOf({ helmCharts: [chart] }))
  assert.is(judged.state, 'stuck')
  assert.match(judged.words, 'HelmChart/flux-system-x: no')
})

test('reads inventories of namespaced, cluster-scoped and colon names', () => {
  const entries = inventoryOf(layer('a', { inventory: ['apps_web_apps_Deployment', '_cert-manager__Namespace', '_system__node_rbac.authorization.k8s.io_ClusterRole'] }))
  assert.equal(entries.map(({ namespace, name, group, kind }) => [namespace, name, group, kind]), [
    ['apps', 'web', 'apps', 'Deployment'], ['', 'cert-manager', '', 'Namespace'], ['', 'system:node', 'rbac.authorization.k8s.io', 'ClusterRole'],
  ])
})

test('shortens a revision', () => assert.is(shortRevision(REVISION), 'main@sha1:111111111111'))

test.run()
