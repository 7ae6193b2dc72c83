/** Every mode target as a user runs it. The states are corners of a cube: platform issuer × app environment × app issuer. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Lab, closeLab, commitAll, expectCode, git, make } from './support.ts'
import { type Served, closingOf, expectGolden, openInstalled, readServed, reconcile, revert, signersOf } from './support-reconcile.ts'

interface Mode { platform: string, environment: string, issuer: string }

const test = suite('modes')
let lab: Lab
let first = ''
const start: Mode = { platform: 'staging', environment: 'staging', issuer: 'staging' }
const nameOf = ({ platform, environment, issuer }: Mode): string => `${platform} × ${environment}-le-${issuer}`

interface Certificates { platform: Served[], app: Served }

const readAll = async (mode: Mode): Promise<Certificates> => ({
  platform: await Promise.all([readServed(lab, 'oauth2-proxy', 'oauth2-proxy-tls'), readServed(lab, 'observability', 'clickstack-tls')]),
  app: await readServed(lab, `apps-${mode.environment}`, 'example-tls'),
})

/** Proves by openssl who signed what is served now. */
async function prove(mode: Mode): Promise<Certificates> {
  const found = await readAll(mode)
  for (const served of found.platform) assert.equal(await signersOf(lab, served), [`letsencrypt-${mode.platform}`], `platform in ${nameOf(mode)}`)
  assert.equal(await signersOf(lab, found.app), [`letsencrypt-${mode.issuer}`], `app in ${nameOf(mode)}`)
  return found
}

/** Reconciles a commit that moves one axis, and proves that the other did not move. */
async function follow(from: Mode, to: Mode, before: Certificates): Promise<Certificates> {
  await reconcile(lab, `${nameOf(from)} → ${nameOf(to)}`)
  const after = await prove(to)
  if (from.platform === to.platform) assert.equal(after.platform, before.platform, 'the platform certificates moved with the app')
  else assert.equal(after.app, before.app, 'the app certificate moved with the platform')
  return after
}

/** Runs the target that leads from one state to its neighbour, commits the one changed line, reconciles; with `back`, reverts and reconciles again. */
async function walk(from: Mode, change: Partial<Mode>, options: { back?: boolean } = {}): Promise<Mode> {
  const to = { ...from, ...change }
  const before = await prove(from)
  const isPlatform = from.platform !== to.platform
  expectCode(await make(lab, isPlatform ? `platform-certs-${to.platform}` : `app-test-${to.environment}-le-${to.issuer}`), 0)
  const file = isPlatform ? 'clusters/home/platform-settings.yaml' : 'clusters/home/app-example.yaml'
  assert.is(await git(lab, 'diff', '--numstat'), `1\t1\t${file}`)
  await commitAll(lab, `test: ${nameOf(to)}`)
  const after = await follow(from, to, before)
  if (options.back !== true) return to
  await revert(lab)
  await follow(to, from, after)
  return from
}

const prod = (axis: keyof Mode): Partial<Mode> => ({ [axis]: 'prod' })
const staging = (axis: keyof Mode): Partial<Mode> => ({ [axis]: 'staging' })
let mode = start

test.before(async () => {
  lab = await openInstalled('e2e-modes')
  first = await git(lab, 'rev-parse', 'HEAD')
})
test.after(async () => { await closeLab(lab) })

test('says what it switches, what is already so, and changes nothing on a dry run', async () => {
  const dry = await make(lab, 'platform-certs-prod', { env: { DRY_RUN: '1' } })
  expectCode(dry, 0)
  assert.is(await git(lab, 'status', '--porcelain'), '')
  await expectGolden('mode-dry-run', `${dry.stdout}\n${dry.stderr}`)
  const already = await make(lab, 'app-test-staging-le-staging')
  expectCode(already, 0)
  assert.match(already.stderr, '✔ already staging-le-staging')
})

// A Gray code visits all eight corners by eight of the twelve edges; the other four are walked there and back on the way.
test('moves the app issuer alone, and back', async () => {
  await walk(mode, prod('issuer'), { back: true })
  mode = await walk(mode, prod('issuer'))
})
test('moves the platform alone, and back, whatever the app has', async () => { mode = await walk(mode, prod('platform'), { back: true }) })
test('moves the app environment alone, and back', async () => {
  await walk(mode, prod('environment'), { back: true })
  mode = await walk(mode, prod('environment'))
  mode = await walk(mode, staging('issuer'))
  mode = await walk(mode, staging('environment'), { back: true })
})
test('moves the platform with the app in prod', async () => { mode = await walk(mode, prod('platform')) })
test('moves the app with the platform in prod', async () => {
  mode = await walk(mode, prod('issuer'))
  mode = await walk(mode, staging('platform'), { back: true })
  mode = await walk(mode, staging('environment'))
  mode = await walk(mode, staging('issuer'))
  mode = await walk(mode, prod('environment'), { back: true })
})
test('is where it began after the eighth edge', async () => {
  mode = await walk(mode, staging('platform'))
  assert.equal(mode, start)
  await expectGolden('reconcile-closing', closingOf(await reconcile(lab, 'nothing new')))
  assert.is(await git(lab, 'diff', '--numstat', first), '')
})

test.run()
