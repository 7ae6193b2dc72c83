import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TaskError } from '../../tasks/lib/errors.ts'
import { comparableUrl } from '../../tasks/lib/git.ts'
import { parsePlatformSettings } from '../../tasks/lib/settings.ts'

const test = suite('settings')
const text = 'kind: ConfigMap\ndata:\n  CERT_ISSUER: letsencrypt-staging\n  BASE_DOMAIN: a.b\n  ACME_EMAIL: a@b\n  GIT_URL: https://h/me/homelab\n  GIT_BRANCH: main\n'

test('reads the settings', () => assert.is(parsePlatformSettings(text).gitUrl, 'https://h/me/homelab'))

const faults: [string, string, string][] = [
  ['names a missing key', text.replace('GIT_URL', 'GIT_URI'), 'GIT_URL'],
  ['names an empty key', text.replace('https://h/me/homelab', ''), 'GIT_URL'],
  ['names the line of bad YAML', text.replace('  BASE_DOMAIN: a.b', '  BASE_DOMAIN: "a'), 'platform-settings.yaml:'],
]
for (const [name, input, expected] of faults) {
  test(name, () => {
    try {
      parsePlatformSettings(input)
      assert.unreachable()
    } catch (error) {
      assert.instance(error, TaskError)
      assert.match(`${(error as TaskError).message} ${(error as TaskError).details.where}`, expected)
      assert.is((error as TaskError).exitCode, 2)
    }
  })
}

const urls = ['https://host/me/homelab', 'https://host/me/homelab.git', 'https://user@host/me/homelab/', 'git@host:me/homelab.git', 'ssh://git@host:22/me/homelab', 'https://HOST/me/homelab']
for (const url of urls) test(`takes ${url} for the same repository`, () => assert.is(comparableUrl(url), 'host/me/homelab'))

test.run()
