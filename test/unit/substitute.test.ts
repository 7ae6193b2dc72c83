import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { substitute, substituteObjects } from '../../tasks/lib/substitute.ts'

const test = suite('substitute')
const variables = { A: 'one', B: '', quote: '"' }

const cases: [string, string, string][] = [
  ['a variable', 'x: ${A}', 'x: one'],
  ['two in a line', '${A}-${A}', 'one-one'],
  ['an empty one', 'x: "${B}"', 'x: ""'],
  ['a quote', 'x: ${quote}${A}${quote}', 'x: "one"'],
  ['a default where it is unset', '${C:=two}', 'two'],
  ['another spelling of it', '${C:-two}', 'two'],
  ['a default where it is empty', '${B:=two}', 'two'],
  ['a default for unset ones only', '[${B=two}] [${B-two}] [${C-two}]', '[] [] [two]'],
  ['an empty default', '[${C:=}]', '[]'],
  ['no default where it is set', '${A:=two}', 'one'],
  ['an escape', '$${env:TOKEN}', '${env:TOKEN}'],
  ['an escape before a variable', '$$${A}', '$one'],
  ['a lone dollar', 'price: $5 $A', 'price: $5 $A'],
]
for (const [name, text, expected] of cases) test(name, () => assert.is(substitute(text, variables), expected))

const refused: [string, string, RegExp][] = [
  ['an unset variable', '${C}', /variable not set: C/],
  ['an unescaped name of something else', '${env:TOKEN}', /variable not set: env:TOKEN/],
  ['a string function', '${A/one/two}', /variable not set/],
  ['a default within a default', '${C:=${A}}', /default within a default/],
]
for (const [name, text, words] of refused) test(`refuses ${name}`, () => assert.throws(() => substitute(text, variables), words))

test('leaves objects alone that ask for it', () => {
  const alone = 'kind: ConfigMap\nmetadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\ndata:\n  a: ${A}\n'
  assert.is(substituteObjects(`a: \${A}\n---\n${alone}---\nb: \${A}\n`, variables), `a: one\n---\n${alone}---\nb: one\n`)
})

test.run()
