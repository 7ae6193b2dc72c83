import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAllDocuments } from 'yaml'
import { editScalar } from '../../tasks/lib/manifest-edit.ts'
import type { ScalarTarget } from '../../tasks/lib/manifest-edit.ts'

const DOCUMENTS = 500
const SPOILT = 300
const values = ['letsencrypt-staging', 'letsencrypt-prod'] as const
const target: ScalarTarget = { file: 'x.yaml', apiVersion: 'v1', kind: 'ConfigMap', name: 'platform-settings', path: ['data', 'CERT_ISSUER'], allowed: values }

/** A random source that gives the same numbers for the same seed (mulberry32). */
function seeded(seed: number) {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(list: readonly [T, ...T[]]): T => list[below(list.length)] ?? list[0]
  return { below, pick, chance: (share: number): boolean => next() < share }
}
type Random = ReturnType<typeof seeded>

/** @returns lines of one entry whose key is unique by `id`. */
function randomEntry(random: Random, id: string, indent: string): string[] {
  const key = random.pick([id, `"${id}"`, `'${id}'`, `${id} `])
  const scalar = random.pick(['x', '"a: b # c"', "'it''s'", '1.50', 'yes', '~', '0x1F', 'é€😀', 'letsencrypt-staging', '"CERT_ISSUER: letsencrypt-prod"', '!!str 5', '[a, b,  c]', '{a: b,   c: "d"}', `&a${id} v`])
  const comment = random.pick(['', '', ' # note', '   # CERT_ISSUER: letsencrypt-staging'])
  return random.pick<() => string[]>([
    () => [`${indent}${key}: ${scalar}${comment}`],
    () => [`${indent}${key}: ${scalar}${comment}`],
    () => [`${indent}${key}: |${random.pick(['', '-', '+'])}`, `${indent}  CERT_ISSUER: letsencrypt-staging`, '', `${indent}   more`],
    () => [`${indent}${key}: >-`, `${indent}  folded   text`, `${indent}  # no comment`],
    () => [`${indent}${key}:${comment}`, `${indent}  CERT_ISSUER: letsencrypt-prod`, `${indent}  list:`, `${indent}  -   a`, `${indent}  - b: c`],
    () => [`${indent}${key}: plain text`, `${indent}  over two lines`],
    () => [`${indent}${key}: "quoted \\`, `${indent}   over two lines"`],
  ])()
}

function randomFiller(random: Random, id: string, indent: string): string[] {
  if (random.chance(0.15)) return ['']
  if (random.chance(0.15)) return [`${random.pick(['', indent, '    '])}# ${random.pick(['comment', 'CERT_ISSUER: letsencrypt-prod', '"'])}`]
  return randomEntry(random, id, indent)
}

/** @returns a ConfigMap in random formatting; `@` stands for the value. */
function randomConfigMap(random: Random): string[] {
  const fill = (name: string, indent: string): string[] => Array.from({ length: random.below(4) }, (_, index) => randomFiller(random, `${name}${index}`, indent)).flat()
  const indent = random.pick(['  ', ' ', '    ', '       '])
  const quote = random.pick(['', '', '"', "'"])
  const line = `${indent}${random.pick(['CERT_ISSUER', '"CERT_ISSUER"', "'CERT_ISSUER'"])}${random.pick(['', ' '])}:${random.pick([' ', '   ', '\t', `\n${indent}  `])}${random.pick(['', '', '&issuer ', '!!str '])}${quote}@${quote}${random.pick(['', ' ', ' # letsencrypt-prod', '\t# x'])}`
  const parts: string[][] = [
    ['apiVersion: v1'], ['kind: ConfigMap'],
    ['metadata:', ...fill('m', '  '), '  name: platform-settings', ...fill('n', '  ')],
    [random.pick(['data:', 'data: # here', 'data: !!map']), ...fill('p', indent), ...line.split('\n'), ...fill('q', indent)],
    fill('top', ''),
  ]
  return parts.sort(() => random.below(3) - 1).flat()
}

function randomFile(seed: number): string {
  const random = seeded(seed)
  const strangers = (name: string): string[] => Array.from({ length: random.pick([0, 0, 1, 2]) }, (_, index) => ['kind: Other', ...randomFiller(random, `${name}${index}`, ''), '---']).flat()
  const lines = [...strangers('a'), ...randomConfigMap(random)]
  if (random.chance(0.2)) lines.push('---', 'kind: Last', 'data:', '  CERT_ISSUER: letsencrypt-prod')
  const start = random.pick(['', '', '\uFEFF', '---\n', '# first\n\n'])
  const text = start + lines.join('\n') + random.pick(['\n', '\n', '', '\n\n', '\n# end'])
  return random.chance(0.25) ? text.replaceAll('\n', '\r\n') : text
}

const valueOf = (text: string): unknown => parseAllDocuments(text).map(document => document.getIn(['metadata', 'name']) === 'platform-settings' ? document.getIn(['data', 'CERT_ISSUER']) : undefined).find(Boolean)

const test = suite('manifest-edit-properties')

test(`keeps every other byte of ${DOCUMENTS} random files`, () => {
  for (let seed = 1; seed <= DOCUMENTS; seed++) {
    const template = randomFile(seed)
    const [from, to] = seed % 2 === 0 ? values : [values[1], values[0]]
    const before = template.replace('@', from)
    const { text, current } = editScalar(before, target, to)
    assert.is(text, template.replace('@', to), `seed ${seed}`)
    assert.is(current, from)
    assert.is(valueOf(text), to, `seed ${seed}`)
    assert.is(editScalar(text, target, from).text, before, `seed ${seed}: back again`)
  }
})

test('meets line ends, documents and styles of every sort on the way', () => {
  const files = Array.from({ length: DOCUMENTS }, (_, index) => randomFile(index + 1))
  for (const feature of [/\r\n/, /^\uFEFF/, /\n---/, /"@"/, /'@'/, / @/, /&issuer @/, /!!str @/, /\n +@/, /\|\+/, />-/, /[^\n]$/]) {
    assert.ok(files.filter(file => feature.test(file)).length >= 10, String(feature))
  }
  assert.ok(new Set(files).size > DOCUMENTS * 0.99)
})

test('fails in the house form, and never otherwise, on files cut short or spoilt at random', () => {
  for (let seed = 1; seed <= SPOILT; seed++) {
    const random = seeded(seed)
    const whole = randomFile(seed).replace('@', values[0])
    const at = random.below(whole.length)
    const spoilt = random.chance(0.5) ? whole.slice(0, at) : whole.slice(0, at) + random.pick(['\t', '"', "'", ':', '{', '- ', '\n', '*a', '&b ', '\u0000']) + whole.slice(at)
    try {
      const { text } = editScalar(spoilt, target, values[1])
      assert.is(valueOf(text), values[1])
      const old = spoilt.split('\n')
      assert.is(text.split('\n').filter((line, index) => line !== old[index]).length, 1, `seed ${seed}`)
    } catch (error) {
      assert.is((error as Error).name, 'TaskError', `seed ${seed}: ${(error as Error).message}`)
    }
  }
})

test.run()
