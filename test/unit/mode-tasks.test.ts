import { chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TaskError } from '../../tasks/lib/errors.ts'
import { editScalar } from '../../tasks/lib/manifest-edit.ts'
import { readManifest } from '../../tasks/lib/manifest-file.ts'
import { type Mode, appTest, platformCerts, switchMode } from '../../tasks/lib/modes.ts'
import { type Checkout, createCheckout } from './support/checkout.ts'
import { app, appFile, settings, settingsFile } from './support/manifests.ts'

const settingsDiff = `--- a/clusters/home/platform-settings.yaml
+++ b/clusters/home/platform-settings.yaml
@@ -7,5 +7,5 @@
 data:
   ACME_EMAIL:   admin@home.net
   BASE_DOMAIN: "home.net"   # yours
-  CERT_ISSUER: letsencrypt-staging # letsencrypt-staging | letsencrypt-prod
+  CERT_ISSUER: letsencrypt-prod # letsencrypt-staging | letsencrypt-prod
   GIT_BRANCH: main
`

const test = suite<{ checkout: Checkout }>('mode-tasks')

test.before(context => {
  context.checkout = createCheckout({ [settingsFile]: settings, [appFile]: app })
})
test.after.each(({ checkout }) => checkout.reset())
test.after(({ checkout }) => checkout.remove())

const read = ({ root }: Checkout, file: string): string => readFileSync(path.join(root, file), 'utf8')

test('certs changes one line, shows the diff and says what comes next', ({ checkout }) => {
  assert.equal(take(checkout.run('certs.ts', ['prod'])), {
    status: 0,
    stdout: settingsDiff,
    stderr: '✔ data.CERT_ISSUER letsencrypt-staging → letsencrypt-prod\n'
      + 'next: git commit -m "feat(certs): platform certificates from letsencrypt-prod" -- clusters/home/platform-settings.yaml && git push && make flux-reconcile\n',
  })
  assert.is(checkout.git('diff', '--numstat'), `1\t1\t${settingsFile}\n`)
  assert.is(checkout.git('status', '--porcelain'), ` M ${settingsFile}\n`)
  assert.is(read(checkout, settingsFile), settings.replace('letsencrypt-staging', 'letsencrypt-prod'))
  assert.equal(readdirSync(path.join(checkout.root, 'clusters/home')).sort(), ['app-example.yaml', 'platform-settings.yaml'])
})

test('the commit that it proposes works, and its revert is the rollback', ({ checkout }) => {
  const { stderr } = checkout.run('certs.ts', ['prod'])
  const [, subject = ''] = /git commit -m "([^"]+)"/.exec(stderr) ?? []
  assert.ok(subject.length <= 60, subject)
  checkout.git('commit', '-qm', subject, '--', settingsFile)
  checkout.git('revert', '--no-edit', 'HEAD')
  assert.is(read(checkout, settingsFile), settings)
})

test('a second time it is already set, and the file is not touched', ({ checkout }) => {
  const before = statSync(path.join(checkout.root, settingsFile))
  assert.equal(take(checkout.run('certs.ts', ['staging'])), { status: 0, stdout: '', stderr: '✔ already letsencrypt-staging\n' })
  const after = statSync(path.join(checkout.root, settingsFile))
  assert.equal([after.ino, after.mtimeMs], [before.ino, before.mtimeMs])
})

test('DRY_RUN=1 prints a diff that git applies, and writes nothing', ({ checkout }) => {
  const { status, stdout, stderr } = checkout.run('certs.ts', ['prod'], { env: { DRY_RUN: '1' } })
  assert.equal([status, stdout, stderr], [0, settingsDiff, '✔ dry run, clusters/home/platform-settings.yaml is untouched\n'])
  assert.is(checkout.git('status', '--porcelain'), '')
  checkout.write('x.diff', stdout)
  checkout.git('apply', 'x.diff')
  assert.is(checkout.git('diff', '--numstat'), `1\t1\t${settingsFile}\n`)
})

test('app-test reaches every overlay from every other with one changed line', ({ checkout }) => {
  for (const overlay of ['prod-le-staging', 'staging-le-prod', 'prod-le-prod', 'staging-le-staging']) {
    const { status, stderr } = checkout.run('app-test.ts', [overlay])
    assert.is(status, 0, stderr)
    assert.match(stderr, new RegExp(`→ ${overlay}\nnext: git commit -m "feat\\(app-example\\): switch to ${overlay}" -- ${appFile} && git push && make flux-reconcile\n$`))
    assert.is(read(checkout, appFile), app.replace('staging-le-staging', overlay))
    assert.is(read(checkout, settingsFile), settings)
    if (overlay !== 'staging-le-staging') assert.is(checkout.git('diff', '--numstat'), `1\t1\t${appFile}\n`)
  }
})

test('works from any folder, and says where to commit', ({ checkout }) => {
  const cwd = path.join(checkout.root, 'clusters')
  const { status, stderr } = checkout.run('certs.ts', ['prod'], { cwd })
  assert.is(status, 0)
  assert.match(stderr, `next: cd ${checkout.root} && git commit`)
})

test('leaves other changes in the tree alone', ({ checkout }) => {
  checkout.write('staged.txt', 'a')
  checkout.git('add', 'staged.txt')
  checkout.write(appFile, `${app}# mine\n`)
  checkout.run('certs.ts', ['prod'])
  assert.is(checkout.git('status', '--porcelain'), ` M ${appFile}\n M ${settingsFile}\nA  staged.txt\n`)
})

test('an unknown argument shows the usage and exits 2', ({ checkout }) => {
  const { status, stdout, stderr } = checkout.run('certs.ts', ['production'])
  assert.equal([status, stdout, stderr], [2, '', '✗ unknown mode: production\n'
    + '  why    expected one of: staging, prod\n'
    + '  fix    make platform-certs-staging\n         make platform-certs-prod\n'])
})

const refusedArguments: [mode: Mode, args: string[]][] = [
  [platformCerts, []], [platformCerts, ['prod', 'staging']], [platformCerts, ['toString']], [platformCerts, ['letsencrypt-prod']], [platformCerts, ['']],
  [appTest, []], [appTest, ['prod']], [appTest, ['staging-le-dev']], [appTest, ['__proto__']], [appTest, ['PROD-LE-PROD']],
]
for (const [mode, args] of refusedArguments) {
  test(`refuses ${mode.makeTarget}${args.join(' ')}`, () => {
    assert.throws(() => switchMode(mode, args), (error: unknown) => error instanceof TaskError && error.exitCode === 2 && error.details.fix?.includes(`make ${mode.makeTarget}`))
  })
}

const broken: [name: string, text: string | Buffer | undefined, where: string][] = [
  ['missing', undefined, `${settingsFile}:1`],
  ['not UTF-8', Buffer.from([0x61, 0xe9, 0x0a]), `${settingsFile}:1`],
  ['holding an unknown value', settings.replace('letsencrypt-staging', 'selfsigned'), `${settingsFile}:10`],
]
for (const [name, text, where] of broken) {
  test(`a file ${name} is named with its line and left alone`, ({ checkout }) => {
    if (text === undefined) rmSync(path.join(checkout.root, settingsFile))
    else checkout.write(settingsFile, text)
    const before = checkout.git('diff')
    const { status, stderr } = checkout.run('certs.ts', ['prod'])
    assert.is(status, 2, stderr)
    assert.match(stderr, new RegExp(`^✗ .*\\n {2}where {2}${where}\\n`))
    assert.is(checkout.git('diff'), before)
  })
}

for (const mode of [platformCerts, appTest]) {
  test(`every value fits into the checkout’s own ${mode.target.file}`, () => {
    const text = readManifest(mode.target.file)
    const allowed = Object.values(mode.values)
    for (const value of allowed) {
      const edit = editScalar(text, { ...mode.target, allowed }, value)
      assert.is(editScalar(edit.text, { ...mode.target, allowed }, edit.current).text, text)
    }
  })
}

test('edits a linked file where it really is, and keeps mode and link', ({ checkout }) => {
  const link = path.join(checkout.root, settingsFile)
  const real = path.join(checkout.root, 'elsewhere/real.yaml')
  mkdirSync(path.dirname(real))
  renameSync(link, real)
  chmodSync(real, 0o640)
  symlinkSync('../../elsewhere/real.yaml', link)
  assert.is(checkout.run('certs.ts', ['prod']).status, 0)
  assert.ok(lstatSync(link).isSymbolicLink())
  assert.is(readFileSync(real, 'utf8'), settings.replace('letsencrypt-staging', 'letsencrypt-prod'))
  assert.is(statSync(real).mode & 0o777, 0o640)
  assert.equal(readdirSync(path.dirname(real)), ['real.yaml'])
})

function take({ status, stdout, stderr }: { status: number | null; stdout: string; stderr: string }) {
  return { status, stdout, stderr }
}

test.run()
