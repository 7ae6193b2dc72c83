/** The four axes of DESIGN §2 stay apart. */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from '../../tasks/lib/repository.ts'
import { derivedInputs, secretKeys, settingKeys } from '../../tasks/lib/inputs.ts'
import { build } from './support-kustomize.ts'
import { type Manifest, at, manifestFiles, parseManifests, readText } from './support-manifests.ts'
import { variablesIn } from './support-substitute.ts'

const test = suite('axes')

const modes = ['staging', 'prod']
const overlay = (environment: string, issuer: string): Promise<Manifest[]> => build(`tenants/apps/example/overlays/${environment}-le-${issuer}`)
const usersOf = (variable: string): string[] => manifestFiles().filter(file => variablesIn(readText(file)).includes(variable))

test('the platform has one issuer, chosen in one line', () => {
  const [settings] = parseManifests(readText('clusters/home/platform-settings.yaml'))
  assert.match(String(at(settings, 'data.CERT_ISSUER')), /^letsencrypt-(staging|prod)$/)
  assert.is(readText('clusters/home/platform-settings.yaml').split('\n').filter(line => /^\s*CERT_ISSUER:/.test(line)).length, 1)
})

test('the platform issuer is used by platform services only', () => {
  assert.equal(usersOf('CERT_ISSUER'), ['platform-services/edge/certificate-clickstack.yaml', 'platform-services/edge/certificate-oauth2-proxy.yaml'])
  assert.equal(manifestFiles(['tenants']).filter(file => readText(file).includes('CERT_ISSUER')), [])
})

test('runtime secrets are read in one folder', () => {
  for (const key of secretKeys) {
    for (const file of usersOf(key)) assert.is(path.dirname(file), 'platform-services/runtime-inputs', `${key} in ${file}`)
    assert.ok(usersOf(key).length > 0, `${key} is used nowhere`)
  }
})

test('only their checksums leave it', () => {
  for (const { key } of derivedInputs) assert.ok(usersOf(key).length >= 2, key)
  const known = [...secretKeys, ...derivedInputs.map(input => input.key)]
  for (const file of manifestFiles(['clusters', 'infrastructure', 'tenants'])) {
    assert.equal(variablesIn(readText(file)).filter(name => known.includes(name)), [], file)
  }
})

test('an app names its issuer itself', async () => {
  for (const environment of modes) {
    for (const issuer of modes) {
      const certificate = (await overlay(environment, issuer)).find(one => one.kind === 'Certificate')
      assert.is(at(certificate, 'spec.issuerRef.name'), `letsencrypt-${issuer}`)
      assert.is(certificate?.metadata.namespace, `apps-${environment}`)
    }
  }
})

for (const environment of modes) {
  test(`the two ${environment} overlays differ in their issuer only`, async () => {
    const [one, other] = await Promise.all(modes.map(issuer => overlay(environment, issuer)))
    assert.is(JSON.stringify(one).replace('letsencrypt-staging', 'letsencrypt-prod'), JSON.stringify(other))
  })
}

for (const issuer of modes) {
  test(`the two overlays with letsencrypt-${issuer} differ in namespace and host only`, async () => {
    const [one, other] = await Promise.all(modes.map(environment => overlay(environment, issuer)))
    assert.is(JSON.stringify(one).replaceAll('"apps-staging"', '"apps-prod"').replaceAll('example.staging.', 'example.'), JSON.stringify(other))
  })
}

test('overlays are composed, not copied', () => {
  for (const file of manifestFiles(['tenants/apps/example/overlays'])) {
    assert.is(path.basename(file), 'kustomization.yaml')
    assert.equal(parseManifests(readText(file)).map(one => Object.keys(one).sort()), [['apiVersion', 'components', 'kind', 'resources']])
  }
})

test('no environment variable chooses a mode', () => {
  assert.equal([...settingKeys], ['KUBE_CONTEXT'])
  const code = readdirSync(inRepository('tasks'), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  const read = code.flatMap(file => [...readFileSync(inRepository('tasks', file), 'utf8').matchAll(/env\.([A-Z][A-Z_]+)|env\[['"]([A-Z_]+)['"]\]/g)].map(match => match[1] ?? match[2] ?? ''))
  assert.equal(read.filter(name => /ISSUER|OVERLAY|CLUSTER_SCOPE|APP_ENV|^MODE|_MODE$|BASE_DOMAIN/.test(name)), [])
})

test.run()
