import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TaskError } from '../../tasks/lib/errors.ts'
import { planInputs } from '../../tasks/lib/input-plan.ts'
import { countStates, describePlan, refuseInvalid, renderSecret } from '../../tasks/lib/input-report.ts'
import { valueInputs } from '../../tasks/lib/inputs.ts'
import { formatError } from '../../tasks/lib/output.ts'

const canary = (key: string): string => `canary-${key.replaceAll('_', '-')}-0123456789`.slice(0, 32).padEnd(32, 'z')
const canaries = Object.fromEntries(valueInputs.map(({ key }) => [key, canary(key)]))

/** @returns the error that refuseInvalid throws for these values. */
function refusalOf(given: Record<string, string>, existing?: Record<string, string>): TaskError {
  try {
    refuseInvalid(planInputs({ given, existing, rehearsal: false }))
  } catch (error) {
    if (error instanceof TaskError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const test = suite('input-report')

test('renders the source Secret, watched by Flux, its values in base64', () => {
  assert.equal(renderSecret({ B: 'zwei', A: 'ä' }), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'platform-runtime-inputs', namespace: 'flux-system',
      labels: { 'app.kubernetes.io/part-of': 'homelab', 'reconcile.fluxcd.io/watch': 'Enabled' },
    },
    type: 'Opaque',
    data: { A: 'w6Q=', B: 'endlaQ==' },
  })
})

test('describes a plan by keys, states and checksums', () => {
  const plan = planInputs({ given: canaries, existing: undefined, rehearsal: false })
  assert.equal(describePlan(plan, { written: true }).slice(0, 2), [
    'OAUTH2_PROXY_CLIENT_ID      given    53849fe342ca',
    'OAUTH2_PROXY_CLIENT_SECRET  given    77b18119a673',
  ])
  assert.is(countStates(plan), '9 given · 3 derived')
})

test('shows no checksum of what a dry run made up', () => {
  const plan = planInputs({ given: {}, existing: undefined, rehearsal: true })
  assert.is(describePlan(plan, { written: false }).filter(line => /[0-9a-f]{12}/.test(line)).length, 0)
  assert.is(describePlan(plan, { written: true }).filter(line => /[0-9a-f]{12}/.test(line)).length, 12)
})

test('never shows a value, whatever becomes of it', () => {
  const given = planInputs({ given: canaries, existing: undefined, rehearsal: false })
  const changed = Object.fromEntries(valueInputs.map(({ key }) => [key, canary(key).split('').reverse().join('')]))
  const spoilt = Object.fromEntries(valueInputs.map(({ key }) => [key, `${canary(key)} "$`]))
  const plans = [
    given,
    planInputs({ given: canaries, existing: given.data, rehearsal: false }),
    planInputs({ given: changed, existing: given.data, rehearsal: false }),
    planInputs({ given: {}, existing: { ...given.data, OLD: 'canary' }, rehearsal: true }),
    planInputs({ given: spoilt, existing: given.data, rehearsal: false }),
    planInputs({ given: {}, existing: spoilt, rehearsal: false }),
  ]
  for (const plan of plans) {
    const { data: _, ...rest } = plan
    assert.not.match([JSON.stringify(rest), ...describePlan(plan, { written: true }), countStates(plan)].join('\n'), /canary|yranac/)
  }
  assert.not.match(formatError(refusalOf(spoilt)), /canary/)
  assert.not.match(formatError(refusalOf({}, spoilt)), /canary/)
})

test('refuses all invalid values at once, in the house form', () => {
  const error = refusalOf({ ...canaries, OAUTH2_PROXY_CLIENT_ID: 'change-me', OAUTH2_PROXY_COOKIE_SECRET: 'abcdefghijklmno' })
  assert.is(formatError(error), [
    '✗ 2 runtime inputs can not be used',
    '  where  .env or the environment',
    '  why    OAUTH2_PROXY_CLIENT_ID is a placeholder, not a value',
    '         OAUTH2_PROXY_COOKIE_SECRET has 15 bytes, 16, 24 or 32 are needed: `openssl rand -hex 16` prints 32',
    '  fix    correct it in .env, then: make secrets-sync',
  ].join('\n'))
  assert.is(error.exitCode, 2)
})

test('says how to replace an invalid value that only the cluster holds', () => {
  const error = refusalOf({}, { ...canaries, MONGODB_PASSWORD: 'short' })
  assert.is(error.details.where, 'Secret/flux-system/platform-runtime-inputs')
  assert.match(error.details.fix ?? '', /^set MONGODB_PASSWORD in \.env/)
})

test('lets a plan without invalid values pass', () => refuseInvalid(planInputs({ given: canaries, existing: undefined, rehearsal: false })))

test.run()
