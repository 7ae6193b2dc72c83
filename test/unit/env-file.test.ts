import { readFileSync, readdirSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { effectiveValues, permissionWarning, readEnvFile, unknownKeyWarnings } from '../../tasks/lib/env-file.ts'
import { TaskError } from '../../tasks/lib/errors.ts'
import { isFlagSet } from '../../tasks/lib/flags.ts'
import { formatError } from '../../tasks/lib/output.ts'

const fixtures = new URL('fixtures/env/', import.meta.url)
const readFixture = (name: string): string => readFileSync(new URL(name, fixtures), 'utf8')

/** Every malformed fixture: the line at fault and what is said about it. */
const malformed: Record<string, [line: number, why: RegExp]> = {
  'no-equals-sign.env': [2, /no "="/],
  'bare-value.env': [2, /no "="/],
  'export-without-value.env': [1, /no "="/],
  'unterminated-double-quote.env': [3, /CLIENT_SECRET: the quote " is not closed/],
  'unterminated-single-quote.env': [1, /CLIENT_SECRET: the quote ' is not closed/],
  'quoted-over-two-lines.env': [1, /not closed on its line/],
  'text-after-quote.env': [1, /text after the closing quote/],
  'quote-inside.env': [1, /holds a quote/],
  'unquoted-hash.env': [1, /cut at "#"/],
  'name-starts-with-digit.env': [1, /no name/],
  'name-with-dash.env': [1, /no name/],
  'name-with-space.env': [1, /no name/],
  'export-two-words.env': [1, /no name/],
  'empty-name.env': [1, /no name/],
  'yaml-colon.env': [1, /no "="/],
  'duplicate-key.env': [3, /only one/],
  'duplicate-equal-key.env': [2, /only one/],
  'latin-1.env': [1, /not UTF-8/],
  'utf-16.env': [1, /not UTF-8/],
}

function refusalOf(text: string): TaskError {
  try {
    readEnvFile({ file: '.env', text })
  } catch (error) {
    if (error instanceof TaskError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const test = suite('env-file')

test('has an expectation for every fixture', () => {
  assert.equal(readdirSync(fixtures).sort(), [...Object.keys(malformed), 'tolerated.env'].sort())
})

for (const [name, [line, why]] of Object.entries(malformed)) {
  test(`refuses ${name}, naming the line and no value`, () => {
    const error = refusalOf(readFixture(name))
    assert.is(error.exitCode, 2)
    assert.match(error.details.where ?? '', new RegExp(`\\.env:${line}$`))
    assert.match(error.details.why ?? '', why)
    assert.not.match(formatError(error), /canary|Value7/)
  })
}

test('tolerates byte order mark, CRLF, export, spaces, comments and a missing last line end', () => {
  assert.equal(readEnvFile({ file: '.env', text: readFixture('tolerated.env') }), {
    KUBE_CONTEXT: 'home',
    OAUTH2_PROXY_CLIENT_ID: 'client # 1',
    OAUTH2_PROXY_CLIENT_SECRET: 'a"b=c==',
    HYPERDX_API_KEY: '',
    OTLP_AUTH_TOKEN: 'abc==',
  })
})

const values: [written: string, value: string][] = [
  ['', ''], ['""', ''], ["''", ''], ['abc', 'abc'], [' abc ', 'abc'], ['"abc"', 'abc'], ["'a b'", 'a b'], ['`abc`', 'abc'],
  ['a=b', 'a=b'], ['=', '='], ['abc # x', 'abc'], ['# x', ''], ['"a#b"', 'a#b'], ['"a\\nb"', 'a\nb'], ['$HOME', '$HOME'], ['é', 'é'],
  ['a\\b', 'a\\b'], ['"a" # "b"', 'a'], ['abc\t# "x', 'abc'],
]
for (const [written, value] of values) {
  test(`reads ${JSON.stringify(written)} as ${JSON.stringify(value)}`, () => assert.equal(readEnvFile({ file: '.env', text: `KEY=${written}\n` }), { KEY: value }))
}

test('reads an empty file', () => assert.equal(readEnvFile({ file: '.env', text: '' }), {}))

const known = ['KUBE_CONTEXT', 'OAUTH2_PROXY_CLIENT_ID', 'OTLP_AUTH_TOKEN']
const unknown: [text: string, warnings: string[]][] = [
  ['KUBE_CONTEXT=a\n', []],
  ['\nKUBECONTEXT=a\n', ['.env:2 holds a key that nothing reads: KUBECONTEXT; did you mean KUBE_CONTEXT?']],
  ['kube_context=a\n', ['.env:1 holds a key that nothing reads: kube_context; did you mean KUBE_CONTEXT?']],
  ['OAUTH_PROXY_CLIENT_ID=a\n', ['.env:1 holds a key that nothing reads: OAUTH_PROXY_CLIENT_ID; did you mean OAUTH2_PROXY_CLIENT_ID?']],
  ['CERT_ISSUER=a\n', ['.env:1 holds a key that nothing reads: CERT_ISSUER']],
  ['Y2FuYXJ5VmFsdWU3==\n', ['.env:1 holds a key that nothing reads']],
]
for (const [text, warnings] of unknown) {
  test(`warns about ${JSON.stringify(text)}: ${warnings.length}`, () => assert.equal(unknownKeyWarnings({ file: '.env', text }, known), warnings))
}

for (const mode of [0o100600, 0o100400, 0o100700]) {
  test(`accepts mode ${mode.toString(8)}`, () => assert.is(permissionWarning('.env', mode), undefined))
}
for (const mode of [0o100644, 0o100640, 0o100604, 0o100660, 0o100620]) {
  test(`warns about mode ${mode.toString(8)}`, () => assert.match(permissionWarning('.env', mode) ?? '', /: chmod 600 \.env$/))
}

test('lets the environment override the file, for known keys only', () => {
  const options = { settings: ['KUBE_CONTEXT'], secrets: ['A', 'B', 'C'] }
  const fromFile = { KUBE_CONTEXT: 'file', A: 'file', B: 'file', C: '', OTHER: 'file' }
  assert.equal(effectiveValues(fromFile, { A: 'process', B: '', OTHER: 'process' }, options), { KUBE_CONTEXT: 'file', A: 'process', B: 'file' })
})

test('takes an empty KUBE_CONTEXT of the environment as a wish for the rehearsal cluster', () => {
  assert.equal(effectiveValues({ KUBE_CONTEXT: 'file' }, { KUBE_CONTEXT: '' }, { settings: ['KUBE_CONTEXT'], secrets: [] }), {})
})

for (const [value, on] of [['1', true], ['true', true], ['yes', true], ['0', false], ['', false], ['false', false], ['No', false], [undefined, false]] as const) {
  test(`takes DRY_RUN=${value} as ${on}`, () => assert.is(isFlagSet({ DRY_RUN: value }, 'DRY_RUN'), on))
}

test.run()
