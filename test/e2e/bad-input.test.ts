/** What a user gets wrong: each ends with a clear error in the house form, touches nothing, and goes away when it is mended. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Lab, type Run, edit, git, make, must, openLab, run } from './support.ts'

const test = suite('bad input')
let lab: Lab
// a home without programs: nothing here may come so far as to build them
let home = ''

const unreachable = `apiVersion: v1
kind: Config
clusters: [{name: gone, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: me, user: {token: x}}]
contexts: [{name: gone, context: {cluster: gone, user: me}}]
`

/** Asserts the house form: one `✗` line, the words, and the exit code that make reports. */
function expectError(result: Run, code: 1 | 2, ...words: (string | RegExp)[]): void {
  assert.match(result.stderr, new RegExp(`Error ${code}`), result.stderr)
  assert.is(result.stderr.split('\n').filter(line => line.startsWith('✗')).length, 1, result.stderr)
  for (const word of words) assert.match(result.stderr, word)
  assert.not.match(result.stderr, /\n\s+at .*\.ts:\d+/)
}

test.before(async () => {
  lab = await openLab('e2e-bad')
  home = await mkdtemp(path.join(tmpdir(), 'homelab-home-'))
  lab.env = { ...lab.env, HOMELAB_HOME: home, HOMELAB_GOCACHE: undefined }
  // installs the packages once, outside any case
  await make(lab, 'node_modules/.package-lock.json')
})
test.after(async () => {
  await rm(lab.folder, { recursive: true, force: true })
  await rm(home, { recursive: true, force: true })
})

const withEnvFile = async (text: string, check: () => Promise<void>): Promise<void> => {
  const file = path.join(lab.folder, '.env')
  await writeFile(file, text, { mode: 0o600 })
  await check().finally(() => rm(file))
}

const envFaults: [string, string, RegExp][] = [
  ['a line without =', 'KUBE_CONTEXT\n', /\.env:1/],
  ['an open quote', 'A=1\nOTLP_AUTH_TOKEN="abc\n', /\.env:2/],
  ['a key twice', 'KUBE_CONTEXT=a\nKUBE_CONTEXT=b\n', /\.env:1 and \.env:2/],
]
for (const [name, text, where] of envFaults) {
  test(`.env with ${name}`, () => withEnvFile(text, async () => expectError(await make(lab, 'install'), 2, where)))
}

const badValues: [string, string, string, RegExp][] = [
  ['a placeholder', 'OAUTH2_PROXY_CLIENT_SECRET', 'change-me-please', /placeholder/],
  ['44 bytes of base64', 'OAUTH2_PROXY_COOKIE_SECRET', 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=', /44 bytes/],
  ['15 bytes', 'OAUTH2_PROXY_COOKIE_SECRET', 'abcdefghijk1234', /15 bytes/],
]
for (const [name, key, value, why] of badValues) {
  test(`${key} with ${name}, and no word of the value`, () => withEnvFile(`${key}=${value}\n`, async () => {
    for (const target of ['install', 'secrets-sync']) {
      const result = await make(lab, target)
      expectError(result, 2, key, why)
      assert.not.ok(result.stderr.includes(value))
    }
  }))
}

test('.env that others can read is warned about', () => withEnvFile('KUBE_CONTEXT=gone\n', async () => {
  await chmod(path.join(lab.folder, '.env'), 0o644)
  const result = await make(lab, 'verify')
  assert.match(result.stderr, '⚠ .env can be read by other users')
  assert.match(result.stderr, 'chmod 600 .env')
}))

test('a cluster that cannot be reached', async () => {
  const kubeconfig = path.join(home, 'gone.kubeconfig')
  await writeFile(kubeconfig, unreachable)
  for (const target of ['verify', 'secrets-sync', 'teardown']) expectError(await make(lab, target, { env: { KUBECONFIG: kubeconfig, KUBE_CONTEXT: 'gone' } }), 1, 'the cluster cannot be reached', 'context gone')
})

test('no kubectl for a named context', async () => {
  const bin = path.join(home, 'bin')
  await mkdir(bin)
  for (const tool of ['node', 'git', 'sh']) await must('ln', ['-s', await must('sh', ['-c', `command -v ${tool}`]), path.join(bin, tool)])
  const result = await run(path.join(bin, 'node'), ['--import', 'tsx/esm', 'tasks/verify.ts'], { cwd: lab.folder, env: { ...lab.env, PATH: bin, KUBE_CONTEXT: 'gone' } })
  assert.is(result.code, 2)
  assert.match(result.stderr, '✗ kubectl is not installed')
})

test('no Go for the rehearsal cluster', async () => {
  const result = await run(path.join(home, 'bin', 'node'), ['--import', 'tsx/esm', 'tasks/install.ts'], { cwd: lab.folder, env: { ...lab.env, PATH: path.join(home, 'bin') } })
  assert.ok(result.code === 1 || result.code === 2, result.stderr)
  assert.match(result.stderr, /✗ .*Go/)
})

test('the rehearsal cluster does not run', async () => {
  for (const target of ['verify', 'flux-reconcile', 'secrets-sync', 'teardown', 'rehearsal-env']) expectError(await make(lab, target), 1, 'not running')
})

test('a dry run starts and builds nothing', async () => {
  const result = await make(lab, 'install', { env: { DRY_RUN: '1' } })
  assert.match(result.stdout, 'start the rehearsal cluster')
  assert.match(result.stderr, '✔ dry run: nothing was started')
  assert.not.ok(existsSync(path.join(home, 'programs')))
})

test('a name that is no instance name', async () => expectError(await make(lab, 'rehearsal-up', { env: { REHEARSAL: 'Not A Name' } }), 2, 'REHEARSAL'))

test('a timeout that is no number', async () => expectError(await make(lab, 'install', { env: { TIMEOUT: 'soon' } }), 2, 'TIMEOUT'))

test('settings that lack a key', async () => {
  await edit(lab, 'clusters/home/platform-settings.yaml', 'GIT_BRANCH: main', 'GIT_BRANCHES: main')
  expectError(await make(lab, 'install'), 2, 'GIT_BRANCH', 'clusters/home/platform-settings.yaml')
  await git(lab, 'checkout', '-q', '--', 'clusters/home/platform-settings.yaml')
})

test('a Go build that fails shows the compiler\'s words, and can be mended', async () => {
  const program = 'clusters/rehearsal/programs/pki/main.go'
  await edit(lab, program, 'package main', 'package main\n\nimport "no.such.module/anywhere"')
  expectError(await make(lab, 'rehearsal-up', { env: { GOFLAGS: '-mod=mod', GOPROXY: 'off' } }), 1, 'no.such.module/anywhere')
  await git(lab, 'checkout', '-q', '--', program)
})

test('a disk that is full', async () => {
  const small = path.join(home, 'small')
  await mkdir(small)
  // a small disk is a mount, and a mount is root's
  const asRoot = (...command: [string, ...string[]]) => process.getuid?.() === 0 ? must(command[0], command.slice(1)) : must('sudo', ['-n', ...command])
  await asRoot('mount', '-t', 'tmpfs', '-o', 'size=1m,mode=0777', 'tmpfs', small)
  try {
    expectError(await make(lab, 'rehearsal-up', { env: { HOMELAB_HOME: small } }), 1, /disk|space/)
  } finally {
    await asRoot('umount', small)
  }
})

test('a home that cannot be written', async () => {
  const file = path.join(home, 'a-file')
  await writeFile(file, '')
  expectError(await make(lab, 'rehearsal-up', { env: { HOMELAB_HOME: path.join(file, 'below') } }), 1, 'a-file')
})

test('a mode that does not exist', async () => {
  const result = await run('node', ['--import', 'tsx/esm', 'tasks/app-test.ts', 'stage-le-prod'], { cwd: lab.folder, env: lab.env })
  assert.is(result.code, 2)
})

test.run()
