/** What `make install` applies first: the controllers it keeps, their arguments, the source it follows. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { entrypoint } from './support-chain.ts'
import { at, listAt, parseManifests, readText, refOf } from './support-manifests.ts'

const test = suite('entrypoint')
const objects = await entrypoint()

const argsOf = (name: string): string[] => {
  const [container] = listAt(objects.find(one => one.kind === 'Deployment' && one.metadata.name === name), 'spec.template.spec.containers')
  return listAt<string>(container, 'args')
}

test('keeps what the platform uses', () => {
  assert.equal(objects.map(refOf).sort(), [
    'ConfigMap/flux-system/platform-settings', 'Deployment/flux-system/helm-controller', 'Deployment/flux-system/kustomize-controller',
    'Deployment/flux-system/source-controller', 'GitRepository/flux-system/home', 'Kustomization/flux-system/home',
  ])
})

const common = (requeue: string): string[] => ['--events-addr=', '--concurrent=10', `--requeue-dependency=${requeue}`, '--max-retry-delay=30s', '--min-retry-delay=50ms']
const appended: [string, string[]][] = [
  ['source-controller', common('2s')],
  ['kustomize-controller', [...common('2s'), '--http-retry=2', '--feature-gates=CancelHealthCheckOnNewRevision=true']],
  ['helm-controller', [...common('500ms'), '--http-retry=2', '--feature-gates=CancelHealthCheckOnNewRevision=true,DefaultToRetryOnFailure=true']],
]
for (const [name, args] of appended) {
  test(`${name} gets its arguments after those of the release, where they win`, () => {
    assert.equal(argsOf(name).slice(-args.length), args)
    assert.ok(argsOf(name).length > args.length)
  })
}

test('follows the repository and the branch of the settings', () => {
  const [settings] = parseManifests(readText('clusters/home/platform-settings.yaml'))
  const source = objects.find(one => one.kind === 'GitRepository')
  assert.is(at(source, 'spec.url'), at(settings, 'data.GIT_URL'))
  assert.is(at(source, 'spec.ref.branch'), at(settings, 'data.GIT_BRANCH'))
})

test('says in the settings what every key is for', () => {
  const lines = readText('clusters/home/platform-settings.yaml').split('\n')
  const data = lines.slice(lines.indexOf('data:') + 1)
  const uncommented = data.filter((line, index) => /^ {2}[A-Z_]+:/.test(line) && !/^ {2}(#|GIT_URL)/.test(data[index - 1] ?? ''))
  assert.equal(uncommented, [])
})

test.run()
