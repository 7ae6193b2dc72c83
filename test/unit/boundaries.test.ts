import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from '../../tasks/lib/repository.ts'

type Layer = 'task' | 'lib' | 'rehearsal'

interface Module {
  /** Path below tasks/. */
  file: string
  layer: Layer
  text: string
  /** What it imports: a path below tasks/, or a package's name. */
  imports: string[]
}

const list = (folder: string, end: string): string[] => readdirSync(inRepository(folder), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith(end)).sort()
const layerOf = (file: string): Layer => (file.startsWith('lib/') ? 'lib' : file.startsWith('rehearsal/') ? 'rehearsal' : 'task')
const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')

function readModule(file: string): Module {
  const text = readFileSync(inRepository('tasks', file), 'utf8')
  const specifiers = [...withoutComments(text).matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)['"]([^'"]+)['"]/g)].map(match => match[1] ?? '')
  const imports = specifiers.map(name => (name.startsWith('.') ? path.posix.join(path.posix.dirname(file), name) : name))
  return { file, layer: layerOf(file), text: withoutComments(text), imports }
}

const modules = list('tasks', '.ts').map(readModule)
/** @returns files of the chosen modules in which the rule finds fault. */
const offenders = (rule: (module: Module) => boolean, chosen: (module: Module) => boolean = () => true): string[] => modules.filter(module => chosen(module) && rule(module)).map(({ file }) => file)
const importsLayer = (layer: Layer) => (module: Module): boolean => module.imports.some(name => name.endsWith('.ts') && layerOf(name) === layer)

/** Lib modules that own a tool and may start processes. */
const processOwners = ['lib/kubectl.ts', 'lib/git.ts']
/** The writer, two displays that redraw a terminal, and the question before destruction. */
const writers = ['lib/output.ts', 'lib/live-tree.ts', 'rehearsal/progress.ts', 'lib/confirm.ts']
/** Lib modules that know the embedded cluster, and what they may import of it. */
const rehearsalDoors: Record<string, string[]> = { 'lib/target.ts': ['rehearsal/instance.ts'], 'lib/record.ts': ['rehearsal/paths.ts'] }
/** Text in, data out: no file, no environment, no output. */
const pure = ['compare', 'env-file', 'flags', 'input-plan', 'input-report', 'input-validation', 'inputs', 'manifest-edit', 'nearest', 'substitute', 'unified-diff'].map(name => `lib/${name}.ts`)

const test = suite('boundaries')

test('finds the modules and their imports', () => {
  assert.ok(modules.length > 10)
  assert.ok(modules.find(({ file }) => file === 'certs.ts')?.imports.includes('lib/modes.ts'))
  assert.ok(modules.find(({ file }) => file === 'lib/env-file.ts')?.imports.includes('dotenv'))
})

test('nothing imports a task', () => assert.equal(offenders(importsLayer('task')), []))
test('lib reaches the rehearsal cluster through its doors only', () => {
  const strays = ({ file, imports }: Module): boolean => imports.some(name => name.startsWith('rehearsal/') && !rehearsalDoors[file]?.includes(name))
  assert.equal(offenders(strays, ({ layer }) => layer === 'lib'), [])
})
test('only the owners of a tool start processes', () => {
  const starts = ({ imports }: Module): boolean => imports.some(name => /^(node:)?child_process$|^zx(\/|$)/.test(name))
  assert.equal(offenders(starts, ({ file, layer }) => layer !== 'rehearsal' && !processOwners.includes(file)), [])
})
test('only the writers write', () => {
  assert.equal(offenders(({ text }) => /process\.(stdout|stderr)\b|\bconsole\./.test(text), ({ file }) => !writers.includes(file)), [])
})
test('pure modules touch no file, no environment and no output', () => {
  const effects = ({ text, imports }: Module): boolean => imports.some(name => /^node:(fs|net|http|os)/.test(name) || name === 'lib/output.ts') || /\bprocess\./.test(text)
  assert.equal(offenders(effects, ({ file }) => pure.includes(file)), [])
  assert.equal(pure.filter(file => !modules.some(module => module.file === file)), [])
})
test('tasks export nothing, open with their usage and go through runTask', () => {
  const tasks = ({ layer }: Module): boolean => layer === 'task'
  assert.equal(offenders(({ text }) => /^export\b/m.test(text), tasks), [])
  assert.equal(offenders(({ text }) => !text.includes('await runTask('), tasks), [])
  const opening = (file: string): string => /^\/\*\*[\s\S]*?\*\//.exec(readFileSync(inRepository('tasks', file), 'utf8'))?.[0] ?? ''
  assert.equal(offenders(({ file }) => !/usage:|make /i.test(opening(file)), tasks), [])
})
test('there is no default export, and no class but errors', () => {
  assert.equal(offenders(({ text }) => /\bexport default\b/.test(text)), [])
  assert.equal(offenders(({ text }) => /^\s*(export )?(abstract )?class (?!\w+ extends Error\b)/m.test(text)), [])
})
test('there is no `any` and no empty catch', () => {
  assert.equal(offenders(({ text }) => /(:|<|\bas)\s*any\b/.test(text)), [])
  assert.equal(offenders(({ text }) => /catch\s*(\([^)]*\))?\s*\{\s*\}/.test(text)), [])
})

test('every test file runs each of its suites', () => {
  const silent = list('test', '.test.ts').filter(file => {
    const text = withoutComments(readFileSync(inRepository('test', file), 'utf8'))
    const suites = [...text.matchAll(/^(?:export )?const (\w+) = suite\b/gm)].map(match => match[1] ?? '')
    return suites.length === 0 ? !/^test\.run\(\)/m.test(text) : suites.some(name => !new RegExp(`^${name}\\.run\\(\\)`, 'm').test(text))
  })
  assert.equal(silent, [])
})
test('every file of test/ that holds tests is named so', () => {
  const misnamed = list('test', '.ts').filter(file => !file.endsWith('.test.ts') && /from 'uvu'/.test(readFileSync(inRepository('test', file), 'utf8')))
  assert.equal(misnamed.filter(file => !file.includes('fixtures')), [])
})
test('no test is left alone with .only', () => {
  assert.equal(list('test', '.test.ts').filter(file => /^\s*\w+\.only\(/m.test(readFileSync(inRepository('test', file), 'utf8'))), [])
})

test.run()
