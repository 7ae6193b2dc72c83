/** `make install` on the rehearsal cluster: fresh, again, and what it leaves in processes and logs. */
import { readFile, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from '../../tasks/lib/objects.ts'
import { instanceFolder } from '../../tasks/rehearsal/paths.ts'
import { type Lab, clusterEnv, closeLab, expectCode, kubectl, make, must, objects, openLab } from './support.ts'

const test = suite('install')
let lab: Lab
// found again wherever a secret leaks to: long, unlikely, valid for each key
const canaries = { OAUTH2_PROXY_CLIENT_ID: 'canary-client-5f1e7a90', OAUTH2_PROXY_CLIENT_SECRET: 'Canary0Secret4c2b8e61f7', OTLP_AUTH_TOKEN: 'Canary0Token9d3a7f52e8b1', MONGODB_PASSWORD: 'Canary0Mongo1b6e4d93c7a2' }
const rotated = 'Canary0Rotated8c5d2e91b7f4'
const secrets = [...Object.values(canaries).slice(1), rotated]

/** Samples the command lines of other processes while `work` runs. @returns every place where a secret was seen. */
async function watchProcesses(work: () => Promise<void>): Promise<string[]> {
  const leaks = new Set<string>()
  let samples = 0
  let over = false
  const sample = async () => {
    while (!over) {
      for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)) {
        const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
        for (const secret of secrets) if (line.includes(secret)) leaks.add(line)
      }
      samples += 1
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
  const sampling = sample()
  await work()
  over = true
  await sampling
  // secrets-sync takes less than a second
  assert.ok(samples >= 3, `only ${samples} samples were taken`)
  return [...leaks]
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(entry => path.join(entry.parentPath, entry.name))
}

test.before(async () => { lab = await openLab('e2e-install') })
test.after(async () => { await closeLab(lab) })

let output = ''

test('installs everything from nothing, with no secret in any command line', async () => {
  const leaks = await watchProcesses(async () => {
    const result = await make(lab, 'install', { env: canaries })
    expectCode(result, 0)
    output = result.stdout + result.stderr
  })
  assert.equal(leaks, [])
  assert.match(output, 'rehearsal cluster')
  assert.match(output, '✔ installed at')
})

test('prints no secret', () => {
  for (const secret of secrets) assert.not.ok(output.includes(secret))
})

test('verify agrees, as text and as JSON', async () => {
  expectCode(await make(lab, 'verify'), 0)
  const result = await make(lab, 'verify', { env: { JSON: '1' } })
  expectCode(result, 0)
  const proof = JSON.parse(result.stdout) as { ok: boolean, checks: { subject: string, ok: boolean, words: string }[] }
  assert.ok(proof.ok)
  for (const kind of ['GitRepository', 'Kustomization', 'HelmRelease', 'OCIRepository', 'ClusterIssuer', 'Certificate', 'Secret']) assert.ok(proof.checks.some(check => check.subject.startsWith(`${kind}/`)), kind)
})

test('kubectl from rehearsal-env sees every layer and release Ready', async () => {
  for (const kind of ['kustomizations.kustomize.toolkit.fluxcd.io', 'helmreleases.helm.toolkit.fluxcd.io']) {
    const found = await objects<KubeObject>(lab, kind)
    assert.ok(found.length >= 5, `${found.length} ${kind}`)
    for (const object of found) assert.ok(object.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True'), object.metadata.name)
  }
})

test('a second install says that everything is already there', async () => {
  const result = await make(lab, 'install', { env: canaries })
  expectCode(result, 0)
  assert.match(result.stderr, 'already there')
  assert.match(result.stderr, 'everything is already there at')
})

test('every rendered object passes a server-side dry run', async () => {
  const env = await clusterEnv(lab)
  const build = (folder: string) => must('kubectl', ['kustomize', '--load-restrictor', 'LoadRestrictionsNone', folder], { cwd: lab.folder, env: { ...lab.env, ...env } })
  const overlays = ['staging-le-staging', 'staging-le-prod', 'prod-le-staging', 'prod-le-prod'].map(name => `tenants/apps/example/overlays/${name}`)
  const substitute = { CERT_ISSUER: 'letsencrypt-staging', BASE_DOMAIN: 'homelab.example.com', ACME_EMAIL: 'a@example.com', OIDC_ISSUER_URL: 'https://id.example.com', OIDC_EMAIL_DOMAIN: 'example.com' }
  for (const folder of ['infrastructure/controllers', 'infrastructure/issuers', 'platform-services', 'tenants/environments', ...overlays]) {
    const text = (await build(folder)).replace(/(?<!\$)\$\{(\w+)\}/g, (_, name: string) => (substitute as Record<string, string>)[name] ?? 'sha-0').replaceAll('$${', '${')
    assert.ok(parseAllDocuments(text).length > 0)
    await kubectl(lab, ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--field-manager=kustomize-controller', '-f', '-'], { input: text })
  }
})

test('secrets-sync puts no secret into a command line or its output', async () => {
  const leaks = await watchProcesses(async () => {
    const result = await make(lab, 'secrets-sync', { env: { ...canaries, OTLP_AUTH_TOKEN: rotated } })
    expectCode(result, 0)
    assert.match(result.stderr, 'rolls the pods of clickstack, otel')
    for (const secret of secrets) assert.not.ok((result.stdout + result.stderr).includes(secret))
  })
  assert.equal(leaks, [])
})

test('no secret is in any file that the run left, the cluster\'s own store apart', async () => {
  const folder = instanceFolder(lab.instance)
  for (const file of await filesBelow(folder)) {
    if (file.startsWith(path.join(folder, 'etcd'))) continue
    // a controller's own temporary file may be gone again
    const text = await readFile(file, 'latin1').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    for (const secret of secrets) assert.not.ok(text.includes(secret) || text.includes(Buffer.from(secret).toString('base64')), file)
  }
})

test('no secret is in events or in anything but Secrets and what ClickStack\'s chart makes of them', async () => {
  const text = await kubectl(lab, ['get', 'events,configmaps,deployments,daemonsets,helmreleases,kustomizations,pods', '-A', '-o', 'json'])
  for (const secret of [canaries.OAUTH2_PROXY_CLIENT_SECRET]) assert.not.ok(text.includes(secret))
})

test('its private files are its owner\'s alone', async () => {
  const folder = instanceFolder(lab.instance)
  assert.is((await stat(folder)).mode & 0o077, 0)
  assert.is((await stat(path.join(folder, 'kubeconfig'))).mode & 0o077, 0)
})

test.run()
