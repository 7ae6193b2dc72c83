import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { crdTemplate } from '../../tasks/rehearsal/charts.ts'
import { kubeconfigText } from '../../tasks/rehearsal/credentials.ts'
import { parseCgiHead } from '../../tasks/rehearsal/git-server.ts'
import { needsAddress } from '../../tasks/rehearsal/load-balancers.ts'
import { pinsOf } from '../../tasks/rehearsal/upstream-charts.ts'
import { isReleased, volumeFor } from '../../tasks/rehearsal/volumes.ts'

const test = suite('rehearsal: stand-ins')
const provisioner = 'rancher.io/local-path'

function claim(annotations: Record<string, string>, spec: Record<string, unknown> = {}) {
  return {
    apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'observability', uid: 'u1', annotations },
    spec: { storageClassName: 'local-path', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } }, ...spec },
  }
}
const scheduled = { 'volume.kubernetes.io/storage-provisioner': provisioner, 'volume.kubernetes.io/selected-node': 'rehearsal' }

test('makes a volume of the size asked for, bound to its claim and node', () => {
  const spec = volumeFor(claim(scheduled))?.spec as { capacity?: unknown, claimRef?: unknown }
  assert.equal(spec.capacity, { storage: '10Gi' })
  assert.equal(spec.claimRef, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: 'data', namespace: 'observability', uid: 'u1' })
})
test('makes none for a claim that no pod uses, that has one, or that is not ours', () => {
  assert.is(volumeFor(claim({ 'volume.kubernetes.io/storage-provisioner': provisioner })), undefined)
  assert.is(volumeFor(claim(scheduled, { volumeName: 'pvc-u1' })), undefined)
  assert.is(volumeFor(claim({ ...scheduled, 'volume.kubernetes.io/storage-provisioner': 'other' })), undefined)
})
test('deletes released volumes of its own, and keeps those that are to be kept', () => {
  const volume = (persistentVolumeReclaimPolicy: string, phase: string, by = provisioner) => ({
    apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'v', annotations: { 'pv.kubernetes.io/provisioned-by': by } }, spec: { persistentVolumeReclaimPolicy }, status: { phase },
  })
  assert.ok(isReleased(volume('Delete', 'Released')))
  assert.not.ok(isReleased(volume('Retain', 'Released')))
  assert.not.ok(isReleased(volume('Delete', 'Bound')))
  assert.not.ok(isReleased(volume('Delete', 'Released', 'other')))
})

test('gives an address to a load balancer without one, and to nothing else', () => {
  const service = (spec: Record<string, string>, ingress: unknown[] = []) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec, status: { loadBalancer: { ingress } } })
  assert.ok(needsAddress(service({ type: 'LoadBalancer' })))
  assert.not.ok(needsAddress(service({ type: 'LoadBalancer' }, [{ ip: '192.0.2.1' }])))
  assert.not.ok(needsAddress(service({ type: 'LoadBalancer', loadBalancerClass: 'other' })))
  assert.not.ok(needsAddress(service({ type: 'ClusterIP' })))
})

test("reads the head of git http-backend's answer", () => {
  assert.equal(parseCgiHead('Status: 404 Not Found\r\nContent-Type: text/plain'), { status: 404, headers: [['Content-Type', 'text/plain']] })
  assert.equal(parseCgiHead('Expires: Fri, 01 Jan 1980 00:00:00 GMT'), { status: 200, headers: [['Expires', 'Fri, 01 Jan 1980 00:00:00 GMT']] })
})

test("packs CRDs as cert-manager's chart does: guarded, kept, braces escaped", () => {
  const template = crdTemplate(['apiVersion: v1\nkind: CustomResourceDefinition\nmetadata:\n  name: a\nspec:\n  description: "use {{ .x }}"\n'])
  assert.match(template, /^\{\{- if \(\.Values\.crds\)\.enabled \}\}\n/)
  assert.match(template, 'helm.sh/resource-policy: keep')
  assert.match(template, '{{ "{{" }} .x }}')
  assert.not.match(template, 'rehearsal/keep')
})

test('finds the charts that the manifests pin, each once', () => {
  const release = { kind: 'HelmRelease', metadata: { name: 'c' }, spec: { chart: { spec: { chart: 'clickstack', version: '3.3.0', sourceRef: { name: 'clickstack' } } } } }
  const pins = pinsOf([
    { kind: 'HelmRepository', metadata: { name: 'clickstack' }, spec: { url: 'https://charts.example.com' } }, release, release,
    { kind: 'OCIRepository', metadata: { name: 't' }, spec: { url: 'oci://example.com/traefik', ref: { tag: '41.5.0' } } },
    { kind: 'HelmRelease', metadata: { name: 't' }, spec: {} },
  ])
  assert.equal(pins, [
    { chart: 'clickstack', version: '3.3.0', repository: 'https://charts.example.com' },
    { chart: 'oci://example.com/traefik', version: '41.5.0', repository: '' },
  ])
})

test('a kubeconfig knows the API server by its authority', () => {
  const text = kubeconfigText({ context: 'rehearsal-x', server: 'https://127.0.0.1:1', ca: 'PEM', user: 'u', token: 't' })
  assert.match(text, `certificate-authority-data: ${Buffer.from('PEM').toString('base64')}`)
  assert.not.match(text, 'insecure')
})

test.run()
