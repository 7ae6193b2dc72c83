import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { consumers, derivedInputs, secretKeys, valueInputs } from '../../tasks/lib/inputs.ts'

const good32 = 'Ab3-_xyz0123456789Ab3-_xyz012345'
const faultOf = (key: string, value: string): string | undefined => valueInputs.find(input => input.key === key)?.fault(value)

const test = suite('inputs')

test('holds the contract’s keys', () => {
  assert.equal(valueInputs.map(({ key, kind, consumers: used }) => `${key} ${kind} ${used.join('+')}`), [
    'OAUTH2_PROXY_CLIENT_ID required oauth2-proxy',
    'OAUTH2_PROXY_CLIENT_SECRET required oauth2-proxy',
    'OAUTH2_PROXY_COOKIE_SECRET generated oauth2-proxy',
    'HYPERDX_API_KEY generated clickstack',
    'CLICKHOUSE_PASSWORD generated clickstack',
    'CLICKHOUSE_APP_PASSWORD generated clickstack',
    'MONGODB_PASSWORD generated clickstack',
    'EXPRESS_SESSION_SECRET generated clickstack',
    'OTLP_AUTH_TOKEN generated clickstack+otel',
  ])
  assert.equal(derivedInputs.map(({ key }) => key), ['OAUTH2_PROXY_CHECKSUM', 'CLICKSTACK_CHECKSUM', 'OTEL_CHECKSUM'])
})

test('names every key once, in upper case', () => {
  const keys = [...secretKeys, ...derivedInputs.map(({ key }) => key)]
  assert.is(new Set(keys).size, keys.length)
  for (const key of keys) assert.match(key, /^[A-Z][A-Z0-9_]*$/)
})

test('has one checksum for each consumer, and a key for each', () => {
  assert.equal(derivedInputs.map(({ consumer }) => consumer), [...consumers])
  for (const consumer of consumers) assert.ok(valueInputs.some(input => input.consumers.includes(consumer)))
})

for (const { key, whereToGet, purpose } of valueInputs) {
  test(`says in one line what ${key} is and where to get it`, () => {
    for (const text of [whereToGet, purpose]) assert.match(text, /^[^\n|]{4,}$/)
  })
}

for (const { key, generate, fault } of valueInputs) {
  test(`generates a ${key} of its own each time, that passes its own check and is safe in YAML and URLs`, () => {
    const values = Array.from({ length: 200 }, generate)
    assert.is(new Set(values).size, values.length)
    for (const value of values) {
      assert.is(fault(value), undefined)
      assert.match(value, /^[A-Za-z][A-Za-z0-9_-]{15,}$/)
      if (key === 'OAUTH2_PROXY_COOKIE_SECRET') assert.is(Buffer.byteLength(value), 32)
    }
  })
}

/** What no key accepts. */
const refusedByAll: [value: string, why: RegExp][] = [
  ['', /empty/], ['change-me', /placeholder/], ['changeme', /placeholder/], ['CHANGE_ME', /placeholder/], ['please-change-me-now', /placeholder/],
  ['xxx', /placeholder/], ['XXXXXXXX', /placeholder/], ['<client-id>', /placeholder/], ['<your client>', /white space/], ['your-client-id', /placeholder/],
  ['your_secret', /placeholder/], ['example', /placeholder/], ['example-client', /placeholder/], ['todo', /placeholder/], ['TODO: ask', /white space/],
  ['todo-later', /placeholder/], ['placeholder', /placeholder/], ['my-placeholder-value', /placeholder/], ['replace-me', /placeholder/], ['REPLACE_THIS', /placeholder/],
  ['...', /placeholder/], ['********', /placeholder/], ['secret', /placeholder/], ['password', /placeholder/], ['null', /placeholder/], ['{{client}}', /placeholder/],
  [`${good32}\n`, /line break/], [`${good32}\r`, /line break/], [`a b${good32}`, /white space/], [`${good32}\t`, /white space/], [`${good32}"`, /quote/],
  [`${good32}'`, /quote/], [`${good32}\\`, /backslash/], [`a$b${good32}`, /"\$"/], [`\${X}${good32}`, /"\$"/], [`${good32}\``, /quote/],
  [`a{{b}}${good32}`, /template/], [`é${good32}`, /ASCII/], [`\u0000${good32}`, /ASCII/], [`\u00a0${good32}`, /white space/], [`\u200b${good32}`, /ASCII/],
]
for (const [value, why] of refusedByAll) {
  test(`refuses ${JSON.stringify(value)} for every key`, () => {
    for (const { key, fault } of valueInputs) assert.match(fault(value) ?? '', why, key)
  })
}

const verdicts: [key: string, value: string, why: RegExp | undefined][] = [
  ['OAUTH2_PROXY_CLIENT_ID', 'homelab', undefined],
  ['OAUTH2_PROXY_CLIENT_ID', '1234567890-abc123.apps.googleusercontent.com', undefined],
  ['OAUTH2_PROXY_CLIENT_ID', '2f1c6d1e-8f3e-4a7a-9c51-0d2b8f6f7a10', undefined],
  ['OAUTH2_PROXY_CLIENT_ID', '69629023906488334@homelab', undefined],
  ['OAUTH2_PROXY_CLIENT_ID', 'https://id.home.net/oauth', /URL/],
  ['OAUTH2_PROXY_CLIENT_ID', 'ab', /3 to 255/],
  ['OAUTH2_PROXY_CLIENT_ID', 'a1'.repeat(128), /has 256 characters/],
  ['OAUTH2_PROXY_CLIENT_SECRET', 'GOCSPX-abcDEF012345', undefined],
  ['OAUTH2_PROXY_CLIENT_SECRET', 'abc~DEF.012+/345==', undefined],
  ['OAUTH2_PROXY_CLIENT_SECRET', 'short12', /7 characters, at least 8/],
  ['OAUTH2_PROXY_CLIENT_SECRET', 'aaaaaaaaaaaa', /guessed/],
  ['OAUTH2_PROXY_COOKIE_SECRET', good32.slice(0, 16), undefined],
  ['OAUTH2_PROXY_COOKIE_SECRET', good32.slice(0, 24), undefined],
  ['OAUTH2_PROXY_COOKIE_SECRET', good32, undefined],
  ['OAUTH2_PROXY_COOKIE_SECRET', good32.slice(0, 15), /15 bytes, 16, 24 or 32/],
  ['OAUTH2_PROXY_COOKIE_SECRET', good32.slice(0, 31), /31 bytes/],
  ['OAUTH2_PROXY_COOKIE_SECRET', `${good32}a`, /33 bytes/],
  ['OAUTH2_PROXY_COOKIE_SECRET', `${good32}${good32}`.slice(0, 43) + '=', /44 bytes, as `openssl rand -base64 32` prints/],
  ['OAUTH2_PROXY_COOKIE_SECRET', '0123456789abcdef0123456789abcdef', undefined],
  ['CLICKHOUSE_PASSWORD', good32, undefined],
  ['CLICKHOUSE_PASSWORD', good32.slice(0, 15), /at least 16/],
  ['CLICKHOUSE_PASSWORD', `${good32}+/=`, /safe in a URL/],
  ['CLICKHOUSE_PASSWORD', `${good32}@host`, /safe in a URL/],
  ['CLICKHOUSE_PASSWORD', `1${good32}`, /start with a letter/],
  ['MONGODB_PASSWORD', `${good32}%40`, /safe in a URL/],
  ['MONGODB_PASSWORD', 'abcabcabcabcabcabc', /guessed/],
  ['OTLP_AUTH_TOKEN', `-${good32}`, /start with a letter/],
]
for (const [key, value, why] of verdicts) {
  test(`${why === undefined ? 'accepts' : 'refuses'} ${key} ${JSON.stringify(value.slice(0, 48))}`, () => {
    const fault = faultOf(key, value)
    if (why === undefined) assert.is(fault, undefined)
    else assert.match(fault ?? '', why)
  })
}

test('never repeats a value it refuses', () => {
  const canary = 'canaryValue7canary'
  const spoilt = ['', ' ', '\n', '"', '$', '\\', '{{', '://', '=', 'é', 'change-me', canary.repeat(20)].map(end => `${canary}${end}`)
  for (const { fault } of valueInputs) for (const value of [...spoilt, `9${canary}+`, canary.slice(0, 7)]) assert.not.match(fault(value) ?? '', /canary/)
})

test.run()
