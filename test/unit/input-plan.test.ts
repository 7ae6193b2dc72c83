import { createHash } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { auditInputs, consumerChecksum, planInputs } from '../../tasks/lib/input-plan.ts'
import type { InputPlan, InputState } from '../../tasks/lib/input-plan.ts'
import { derivedInputs, valueInputs } from '../../tasks/lib/inputs.ts'

const given = { OAUTH2_PROXY_CLIENT_ID: 'homelab', OAUTH2_PROXY_CLIENT_SECRET: 'clientSecret-0123456789' }
const generatedKeys = valueInputs.filter(({ kind }) => kind === 'generated').map(({ key }) => key)
const valueKeys = valueInputs.map(({ key }) => key)
const first = planInputs({ given, existing: undefined, rehearsal: false })
const replan = (changes: { given?: Record<string, string>; existing?: Record<string, string>; rehearsal?: boolean }): InputPlan =>
  planInputs({ given, existing: first.data, rehearsal: false, ...changes })
const statesOf = (plan: InputPlan): Record<string, InputState> => Object.fromEntries(plan.rows.map(({ key, state }) => [key, state]))
const without = (data: Record<string, string>, ...keys: string[]) => Object.fromEntries(Object.entries(data).filter(([key]) => !keys.includes(key)))

const test = suite('input-plan')

test('first sync takes what is given, generates the rest, derives one checksum for each consumer', () => {
  assert.equal(statesOf(first), {
    OAUTH2_PROXY_CLIENT_ID: 'given', OAUTH2_PROXY_CLIENT_SECRET: 'given',
    ...Object.fromEntries(generatedKeys.map(key => [key, 'generated'])),
    ...Object.fromEntries(derivedInputs.map(({ key }) => [key, 'derived'])),
  })
  assert.equal(Object.keys(first.data), [...valueKeys, ...derivedInputs.map(({ key }) => key)])
  assert.equal([first.changed, first.missing, first.invalid, first.removedKeys, first.rolls], [true, [], [], [], []])
})

test('second sync with the same .env changes nothing', () => {
  const plan = replan({})
  assert.equal(plan.data, first.data)
  assert.equal([plan.changed, plan.rolls], [false, []])
  assert.equal(new Set(Object.values(statesOf(plan))), new Set(['unchanged', 'kept']))
})

test('keeps generated keys although they are never given', () => {
  for (const key of generatedKeys) assert.is(replan({}).data[key], first.data[key])
})

test('keeps a required key that .env no longer holds, and says so', () => {
  const plan = replan({ given: {} })
  assert.equal(plan.data, first.data)
  assert.is(plan.rows[0]?.state, 'kept')
  assert.match(plan.rows[0]?.note ?? '', /not in \.env/)
})

test('writes the others while a required key is missing', () => {
  const plan = planInputs({ given: { OAUTH2_PROXY_CLIENT_ID: 'homelab' }, existing: undefined, rehearsal: false })
  assert.equal(plan.missing.map(({ key }) => key), ['OAUTH2_PROXY_CLIENT_SECRET'])
  assert.match(plan.missing[0]?.whereToGet ?? '', /OIDC provider/)
  assert.equal(Object.keys(plan.data).sort(), [...valueKeys, 'CLICKSTACK_CHECKSUM', 'OTEL_CHECKSUM'].filter(key => key !== 'OAUTH2_PROXY_CLIENT_SECRET').sort())
  assert.is(statesOf(plan).OAUTH2_PROXY_CHECKSUM, 'missing')
})

test('generates absent required keys on the rehearsal, marked as such, and keeps them', () => {
  const plan = planInputs({ given: {}, existing: undefined, rehearsal: true })
  assert.equal(plan.missing, [])
  assert.is(plan.rows[0]?.state, 'generated')
  assert.match(plan.rows[0]?.note ?? '', /rehearsal only/)
  const second = planInputs({ given: {}, existing: plan.data, rehearsal: true })
  assert.equal([second.changed, second.data], [false, plan.data])
})

test('fills one key that the cluster lost, and rolls only who uses it', () => {
  const plan = replan({ existing: without(first.data, 'MONGODB_PASSWORD') })
  assert.is(statesOf(plan).MONGODB_PASSWORD, 'generated')
  assert.equal([plan.rolls, plan.changed], [['clickstack'], true])
})

test('takes an empty value in the cluster for an absent one', () => {
  assert.is(statesOf(replan({ existing: { ...first.data, MONGODB_PASSWORD: '' } })).MONGODB_PASSWORD, 'generated')
})

const rotations: [key: string, rolls: string[]][] = valueInputs.map(({ key, consumers }) => [key, [...consumers]])
for (const [key, rolls] of rotations) {
  test(`a new ${key} changes that key and rolls ${rolls.join(' and ')}`, () => {
    const value = 'newValue-0123456789abcdefghijklm'
    const plan = replan({ given: { ...given, [key]: value } })
    assert.is(plan.data[key], value)
    assert.is(statesOf(plan)[key], 'changed')
    assert.equal(plan.rolls, rolls)
    const differing = Object.keys(plan.data).filter(name => plan.data[name] !== first.data[name])
    assert.equal(differing, [key, ...derivedInputs.filter(({ consumer }) => rolls.includes(consumer)).map(derived => derived.key)])
  })
}

test('leaves an invalid value out, names it, and says where it came from', () => {
  const plan = replan({ given: { ...given, OAUTH2_PROXY_COOKIE_SECRET: 'canaryValue7' } })
  assert.equal(plan.invalid.map(({ key, origin }) => [key, origin]), [['OAUTH2_PROXY_COOKIE_SECRET', 'given']])
  assert.is(plan.data.OAUTH2_PROXY_COOKIE_SECRET, undefined)
  const inCluster = replan({ existing: { ...first.data, MONGODB_PASSWORD: 'canaryValue7' } })
  assert.equal(inCluster.invalid.map(({ key, origin }) => [key, origin]), [['MONGODB_PASSWORD', 'cluster']])
})

test('a valid value in .env replaces an invalid one in the cluster', () => {
  const plan = replan({ existing: { ...first.data, OAUTH2_PROXY_CLIENT_SECRET: 'bad' } })
  assert.equal([plan.invalid, statesOf(plan).OAUTH2_PROXY_CLIENT_SECRET], [[], 'changed'])
})

test('removes keys that are no part of the contract', () => {
  const plan = replan({ existing: { ...first.data, OLD_KEY: 'canaryValue7' } })
  assert.equal([plan.removedKeys, plan.changed, statesOf(plan).OLD_KEY], [['OLD_KEY'], true, 'removed'])
})

test('removes a checksum that lost one of its keys', () => {
  const plan = planInputs({ given: {}, existing: without(first.data, 'OAUTH2_PROXY_CLIENT_ID'), rehearsal: false })
  assert.equal([plan.removedKeys, plan.changed], [['OAUTH2_PROXY_CHECKSUM'], true])
})

test('mends a checksum that does not fit its values', () => {
  const plan = replan({ existing: { ...first.data, OTEL_CHECKSUM: 'sha-0000000000000000' } })
  assert.equal([plan.data.OTEL_CHECKSUM, plan.rolls], [first.data.OTEL_CHECKSUM, ['otel']])
})

test('checksums cover sorted keys and values, and never look like a number to YAML', () => {
  const expected = createHash('sha256').update('A=1\nB=2').digest('hex').slice(0, 16)
  assert.is(consumerChecksum({ B: '2', A: '1' }), `sha-${expected}`)
  for (const { key } of derivedInputs) assert.match(first.data[key] ?? '', /^sha-[0-9a-f]{16}$/)
})

test('shows the first 12 hex digits of each value’s SHA-256', () => {
  const expected = createHash('sha256').update('homelab').digest('hex').slice(0, 12)
  assert.is(first.rows[0]?.checksum, expected)
})

test('audits a Secret as it is', () => {
  assert.equal(auditInputs(first.data), { missing: [], invalid: [], stale: [] })
  assert.equal(auditInputs(undefined).missing.map(({ key }) => key), valueKeys)
  assert.equal(auditInputs(without(first.data, 'MONGODB_PASSWORD')).missing.map(({ key }) => key), ['MONGODB_PASSWORD'])
  assert.equal(auditInputs({ ...first.data, OTEL_CHECKSUM: 'x' }).stale, ['OTEL_CHECKSUM'])
  assert.equal(auditInputs({ ...first.data, MONGODB_PASSWORD: 'bad' }).invalid.map(({ key }) => key), ['MONGODB_PASSWORD'])
})

test('does not change what it is given', () => {
  const existing = Object.freeze({ ...first.data })
  planInputs({ given: Object.freeze({ ...given }), existing, rehearsal: true })
})

test.run()
