import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TaskError } from '../../tasks/lib/errors.ts'
import { editScalar } from '../../tasks/lib/manifest-edit.ts'
import type { ScalarTarget } from '../../tasks/lib/manifest-edit.ts'

const staging = 'letsencrypt-staging'
const prod = 'letsencrypt-prod'
const target: ScalarTarget = {
  file: 'settings.yaml', apiVersion: 'v1', kind: 'ConfigMap', name: 'platform-settings', path: ['data', 'CERT_ISSUER'], allowed: [staging, prod],
}
const head = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: platform-settings\n'
const other = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\ndata:\n  CERT_ISSUER: letsencrypt-staging\n'

/** Text around `@`, which stands for the value; each must become the same text with the other value and nothing else. */
const edited: [name: string, template: string][] = [
  ['plain value', `${head}data:\n  CERT_ISSUER: @\n`],
  ['double quotes', `${head}data:\n  CERT_ISSUER: "@"\n`],
  ['single quotes', `${head}data:\n  CERT_ISSUER: '@'\n`],
  ['comment behind it', `${head}data:\n  CERT_ISSUER: @ # letsencrypt-staging or letsencrypt-prod\n`],
  ['comments around it', `# CERT_ISSUER: letsencrypt-staging\n${head}data: # x\n  # CERT_ISSUER: letsencrypt-staging\n  CERT_ISSUER: @\n  # end\n`],
  ['comment between key and value', `${head}data:\n  CERT_ISSUER: # here\n    @\n`],
  ['value on the next line', `${head}data:\n  CERT_ISSUER:\n    @\n`],
  ['no final line end', `${head}data:\n  CERT_ISSUER: @`],
  ['several final line ends', `${head}data:\n  CERT_ISSUER: @\n\n\n`],
  ['CRLF', `${head}data:\n  CERT_ISSUER: @\n  BASE_DOMAIN: home.net\n`.replaceAll('\n', '\r\n')],
  ['CRLF and no final line end', `${head}data:\n  CERT_ISSUER: "@"`.replaceAll('\n', '\r\n')],
  ['mixed line ends', `${head.replaceAll('\n', '\r\n')}data:\n  CERT_ISSUER: @\r\n  A: b\n`],
  ['byte order mark', `\uFEFF${head}data:\n  CERT_ISSUER: @\n`],
  ['byte order mark and document start', `\uFEFF---\n${head}data:\n  CERT_ISSUER: @\n`],
  ['spaces behind it', `${head}data:\n  CERT_ISSUER: @   \n  A: b  \n`],
  ['many spaces before it', `${head}data:\n  CERT_ISSUER:      @\n`],
  ['space before the colon', `${head}data:\n  CERT_ISSUER   : @\n`],
  ['tab before it', `${head}data:\n  CERT_ISSUER:\t@\n`],
  ['tab behind it', `${head}data:\n  CERT_ISSUER: @\t# tab\n`],
  ['odd indent', `${head}data:\n       CERT_ISSUER: @\n       A: b\n`],
  ['quoted key', `${head}data:\n  "CERT_ISSUER": @\n`],
  ['single-quoted key', `${head}data:\n  'CERT_ISSUER': @\n`],
  ['explicit key', `${head}data:\n  ? CERT_ISSUER\n  : @\n`],
  ['anchor nobody uses', `${head}data:\n  CERT_ISSUER: &issuer @\n`],
  ['tag', `${head}data:\n  CERT_ISSUER: !!str @\n`],
  ['tag and anchor', `${head}data:\n  CERT_ISSUER: !!str &a "@"\n`],
  ['anchor and alias elsewhere', `${head}data:\n  A: &a x\n  CERT_ISSUER: @\n  B: *a\n`],
  ['flow map', `${head}data: {CERT_ISSUER: @, A: b}\n`],
  ['flow map over lines', `${head}data: {\n  CERT_ISSUER: @ ,\n  A: b }\n`],
  ['JSON', `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"platform-settings"},"data":{"CERT_ISSUER":"@"}}`],
  ['JSON over lines', `{\n\t"apiVersion": "v1", "kind": "ConfigMap",\n\t"metadata": {"name": "platform-settings"},\n\t"data": {"CERT_ISSUER": "@"}\n}\n`],
  ['document start and end', `---\n${head}data:\n  CERT_ISSUER: @\n...\n`],
  ['directive', `%YAML 1.2\n---\n${head}data:\n  CERT_ISSUER: @\n`],
  ['schema line', `# yaml-language-server: $schema=https://x/y.json\n---\n${head}data:\n  CERT_ISSUER: @\n`],
  ['second of two documents', `${other}---\n${head}data:\n  CERT_ISSUER: @\n`],
  ['first of three documents', `${head}data:\n  CERT_ISSUER: @\n---\n${other}---\n# nothing\n`],
  ['same key in labels', `${head}  labels:\n    CERT_ISSUER: letsencrypt-staging\ndata:\n  CERT_ISSUER: @\n`],
  ['same key in another map', `${head}binaryData:\n  CERT_ISSUER: letsencrypt-staging\ndata:\n  CERT_ISSUER: @\n`],
  ['same text in a block', `${head}data:\n  NOTE: |\n    CERT_ISSUER: letsencrypt-staging\n  CERT_ISSUER: @\n`],
  ['folded text and long lines', `${head}data:\n  NOTE: >-\n    a  b\n\n    c\n  LONG: ${'x '.repeat(100)}y\n  CERT_ISSUER: @\n`],
  ['data before metadata', 'data:\n  CERT_ISSUER: @\nkind: ConfigMap\nmetadata: {name: platform-settings}\napiVersion: v1\n'],
  ['other unusual values', `${head}data:\n  A: 0x1F\n  B: ~\n  C: 2001-01-01\n  D: "\\u00e9"\n  CERT_ISSUER: @\n  E: 'it''s'\n  F: é€😀\n`],
  ['wide characters before it', `${head}data:\n  A: "😀é€"\n  😀: x\n  CERT_ISSUER: "@" # 😀\n`],
  ['empty lines with spaces', `${head}   \ndata:\n   \n  CERT_ISSUER: @\n \n`],
  ['sequence with less indent', `${head}list:\n- a\n-   b\ndata:\n  CERT_ISSUER: @\n`],
  ['merge key beside it', `${head}base: &b {A: b}\ndata:\n  <<: *b\n  CERT_ISSUER: @\n`],
]

/** Texts that must be refused: line and reason. */
const refused: [name: string, text: string, line: number, why: RegExp][] = [
  ['empty file', '', 1, /empty|no ConfigMap/],
  ['only comments', '# nothing\n', 1, /empty|no ConfigMap/],
  ['a scalar', 'hello\n', 1, /no ConfigMap named platform-settings/],
  ['a sequence', '- a\n', 1, /no ConfigMap/],
  ['unclosed flow map', `${head}data: {CERT_ISSUER: ${staging}\n`, 6, /not YAML/],
  ['unclosed quote', `${head}data:\n  CERT_ISSUER: "${staging}\n`, 7, /not YAML/],
  ['tab indent', `${head}data:\n\tCERT_ISSUER: ${staging}\n`, 6, /not YAML/],
  ['conflict markers', `${head}data:\n<<<<<<< HEAD\n  CERT_ISSUER: ${staging}\n=======\n  CERT_ISSUER: ${prod}\n>>>>>>> x\n`, 6, /not YAML/],
  ['binary', 'a: \u0000\u0001: [', 1, /not YAML/],
  ['wrong kind', `${head.replace('ConfigMap', 'Secret')}data:\n  CERT_ISSUER: ${staging}\n`, 1, /no ConfigMap/],
  ['wrong name', other, 1, /no ConfigMap named platform-settings/],
  ['wrong apiVersion', `${head.replace('v1', 'v2')}data:\n  CERT_ISSUER: ${staging}\n`, 1, /no ConfigMap/],
  ['object inside a List', `apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n`, 1, /no ConfigMap/],
  ['no data', head, 1, /data\.CERT_ISSUER is missing/],
  ['empty data', `${head}data:\n`, 5, /no map that could hold CERT_ISSUER/],
  ['data is a text', `${head}data: x\n`, 5, /no map that could hold/],
  ['data is a list', `${head}data:\n- CERT_ISSUER: ${staging}\n`, 5, /no map that could hold/],
  ['key missing', `${head}data:\n  A: b\n`, 6, /data\.CERT_ISSUER is missing/],
  ['key in other case', `${head}data:\n  cert_issuer: ${staging}\n`, 6, /missing/],
  ['key commented out', `${head}data:\n  # CERT_ISSUER: ${staging}\n  A: b\n`, 7, /missing/],
  ['key twice', `${head}data:\n  CERT_ISSUER: ${staging}\n  CERT_ISSUER: ${prod}\n`, 7, /second time/],
  ['key twice, once quoted', `${head}data:\n  CERT_ISSUER: ${staging}\n  "CERT_ISSUER": ${staging}\n`, 7, /second time/],
  ['data twice', `${head}data:\n  CERT_ISSUER: ${staging}\ndata:\n  CERT_ISSUER: ${staging}\n`, 7, /second time/],
  ['object twice', `${head}data:\n  CERT_ISSUER: ${staging}\n---\n${head}data:\n  CERT_ISSUER: ${staging}\n`, 8, /2 times/],
  ['unknown value', `${head}data:\n  CERT_ISSUER: selfsigned\n`, 6, /selfsigned is no known value/],
  ['value with other case', `${head}data:\n  CERT_ISSUER: LetsEncrypt-Staging\n`, 6, /no known value/],
  ['value with inner space', `${head}data:\n  CERT_ISSUER: " ${staging}"\n`, 6, /no known value/],
  ['no value', `${head}data:\n  CERT_ISSUER:\n`, 6, /empty/],
  ['empty text', `${head}data:\n  CERT_ISSUER: ""\n`, 6, /no known value/],
  ['null', `${head}data:\n  CERT_ISSUER: ~\n`, 6, /no known value/],
  ['number', `${head}data:\n  CERT_ISSUER: 1\n`, 6, /no known value/],
  ['map as value', `${head}data:\n  CERT_ISSUER: {a: b}\n`, 6, /no plain text/],
  ['list as value', `${head}data:\n  CERT_ISSUER:\n  - ${staging}\n`, 6, /no plain text/],
  ['literal block', `${head}data:\n  CERT_ISSUER: |-\n    ${staging}\n`, 6, /block text/],
  ['folded block', `${head}data:\n  CERT_ISSUER: >-\n    ${staging}\n`, 6, /block text/],
  ['folded over two lines', `${head}data:\n  CERT_ISSUER: letsencrypt\n    -staging\n`, 6, /several lines/],
  ['quoted over two lines', `${head}data:\n  CERT_ISSUER: "letsencrypt-\\\n    staging"\n`, 6, /several lines/],
  ['substitution', `${head}data:\n  CERT_ISSUER: \${ISSUER}\n`, 6, /no known value/],
  ['alias', `${head}x: &a ${staging}\ndata:\n  CERT_ISSUER: *a\n`, 7, /alias/],
  ['anchor that others repeat', `${head}data:\n  CERT_ISSUER: &a ${staging}\n  OTHER: *a\n`, 6, /anchor &a/],
  ['map whose anchor others repeat', `${head}data: &d\n  CERT_ISSUER: ${staging}\nother: *d\n`, 6, /anchor &d/],
  ['data is an alias', `${head}x: &d {CERT_ISSUER: ${staging}}\ndata: *d\n`, 6, /alias/],
  ['only merged in', `${head}x: &d {CERT_ISSUER: ${staging}}\ndata:\n  <<: *d\n`, 7, /missing/],
  ['alias to nothing', `${head}data:\n  CERT_ISSUER: *nowhere\n`, 6, /not YAML|alias/],
]

const test = suite('manifest-edit')

for (const [name, template] of edited) {
  test(`edits only the value: ${name}`, () => {
    const line = template.slice(0, template.indexOf('@')).split('\n').length
    for (const [from, to] of [[staging, prod], [prod, staging]] as const) {
      assert.equal(editScalar(template.replace('@', from), target, to), { current: from, text: template.replace('@', to), line })
    }
  })
  test(`leaves it when it is already set: ${name}`, () => {
    const text = template.replace('@', prod)
    assert.is(editScalar(text, target, prod).text, text)
  })
}

for (const [name, text, line, why] of refused) {
  for (const end of ['\n', '\r\n']) {
    test(`refuses ${name}${end === '\n' ? '' : ', CRLF'}`, () => {
      try {
        editScalar(text.replaceAll('\n', end), target, prod)
        assert.unreachable('nothing was refused')
      } catch (error) {
        if (!(error instanceof TaskError)) throw error
        assert.match(error.details.why ?? '', why)
        assert.is(error.details.where, `settings.yaml:${line}`)
        assert.is(error.exitCode, 2)
        assert.match(error.details.fix ?? '', /expected is data\.CERT_ISSUER of ConfigMap\/platform-settings, one of: letsencrypt-staging, letsencrypt-prod/)
      }
    })
  }
}

test('rewrites an escaped value within its quotes', () => {
  const text = `${head}data:\n  CERT_ISSUER: "letsencrypt\\x2dstaging"\n`
  assert.is(editScalar(text, target, prod).text, `${head}data:\n  CERT_ISSUER: "letsencrypt-prod"\n`)
})

test('finds a Flux Kustomization by its API group, and no other Kustomization', () => {
  const overlay = './tenants/apps/example/overlays/staging-le-staging'
  const app: ScalarTarget = { file: 'app.yaml', apiVersion: 'kustomize.toolkit.fluxcd.io/', kind: 'Kustomization', name: 'app', path: ['spec', 'path'], allowed: [overlay, './b'] }
  const flux = `apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: app\nspec:\n  path: ${overlay}\n`
  assert.is(editScalar(flux, app, './b').text, flux.replace(overlay, './b'))
  assert.throws(() => editScalar(flux.replace('kustomize.toolkit.fluxcd.io/v1', 'kustomize.config.k8s.io/v1beta1'), app, './b'), /not as expected/)
})

test.run()
