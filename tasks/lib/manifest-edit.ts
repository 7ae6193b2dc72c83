/**
 * Replaces one scalar of a manifest and keeps every other byte. Pure: text in, text out. The YAML library only finds the scalar and
 * checks its surroundings; its own toString() would re-indent and refold other lines.
 */
import { LineCounter, isAlias, isMap, isNode, isScalar, parseAllDocuments, visit } from 'yaml'
import type { Document, Scalar } from 'yaml'
import { refusal } from './errors.ts'
import type { TaskError } from './errors.ts'

/** Which scalar of which object in which file. */
export interface ScalarTarget {
  /** Path as messages print it. */
  file: string
  /** `v1`, or an API group with any version: `kustomize.toolkit.fluxcd.io/`. */
  apiVersion: string
  kind: string
  name: string
  /** Keys from the object's root down to the scalar. */
  path: readonly string[]
  /** Every value that may stand there, before and after. */
  allowed: readonly string[]
}

export interface ScalarEdit {
  /** The value before. */
  current: string
  /** The whole text after; equal to the text before when the value is already set. */
  text: string
  /** Line of the value, counted from 1. */
  line: number
}

interface Source {
  target: ScalarTarget
  text: string
  lines: LineCounter
}

/** @throws TaskError (exit 2) with file and line when the file is not what `target` says; nothing is guessed. */
export function editScalar(text: string, target: ScalarTarget, value: string): ScalarEdit {
  const source = { target, text, lines: new LineCounter() }
  const document = findObject(source)
  const { scalar, anchors } = findScalar(source, document)
  const [start, end] = scalar.range
  const current = readCurrent(source, scalar)
  const repeated = anchors.find(anchor => hasAlias(document, anchor))
  if (repeated !== undefined) throw unexpected(source, start, `other places repeat this value through the anchor &${repeated}; write them out`)
  const line = source.lines.linePos(start).line
  if (current === value) return { current, text, line }
  const quote = /^["']/.exec(text.slice(start, end))?.[0] ?? ''
  return { current, text: `${text.slice(0, start)}${quote}${value}${quote}${text.slice(end)}`, line }
}

function findObject(source: Source): Document.Parsed {
  const { target, text, lines } = source
  const documents = parseAllDocuments(text, { lineCounter: lines, keepSourceTokens: true })
  if (!Array.isArray(documents)) throw unexpected(source, 0, 'the file is empty')
  for (const { errors: [error] } of documents) {
    if (error?.code === 'DUPLICATE_KEY') throw unexpected(source, error.pos[0], 'a key stands there for the second time in its map')
    if (error !== undefined) throw unexpected(source, error.pos[0], `not YAML: ${error.message.split(/ at line \d+/)[0]}`)
  }
  const matching = documents.filter(document => isWanted(document, target))
  const [found, second] = matching
  if (found === undefined) throw unexpected(source, documents[0]?.range[0] ?? 0, `the file holds no ${target.kind} named ${target.name}`)
  if (second !== undefined) throw unexpected(source, second.contents?.range[0] ?? 0, `the file holds ${target.kind} ${target.name} ${matching.length} times`)
  return found
}

function isWanted(document: Document.Parsed, { apiVersion, kind, name }: ScalarTarget): boolean {
  if (!isMap(document.contents)) return false
  const version = document.get('apiVersion')
  const fits = typeof version === 'string' && (apiVersion.endsWith('/') ? version.startsWith(apiVersion) : version === apiVersion)
  return fits && document.get('kind') === kind && document.getIn(['metadata', 'name']) === name
}

/** @returns the scalar at the target's path, and the anchors on the way to it. */
function findScalar(source: Source, document: Document.Parsed): { scalar: Scalar.Parsed; anchors: string[] } {
  const place = source.target.path.join('.')
  const anchors: string[] = []
  let node: unknown = document.contents
  let offset = 0
  for (const key of [...source.target.path, undefined]) {
    if (isAlias(node)) throw unexpected(source, node.range?.[0] ?? offset, 'an alias stands there; write the value out')
    if (isNode(node) && 'anchor' in node && node.anchor !== undefined) anchors.push(node.anchor)
    if (key === undefined) break
    if (!isMap(node)) throw unexpected(source, offset, `no map that could hold ${key}`)
    offset = node.range?.[0] ?? offset
    const pair = node.items.find(item => isScalar(item.key) && item.key.value === key)
    if (pair === undefined) throw unexpected(source, offset, `${place} is missing`)
    if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset
    node = pair.value
  }
  if (!isScalar(node) || node.range == null) throw unexpected(source, offset, `${place} is no plain text`)
  return { scalar: node as Scalar.Parsed, anchors }
}

/** @returns the scalar's value once it is sure that it stands on one line and is one of the allowed. */
function readCurrent(source: Source, scalar: Scalar.Parsed): string {
  const [start, end] = scalar.range
  const written = source.text.slice(start, end)
  if (scalar.type === 'BLOCK_LITERAL' || scalar.type === 'BLOCK_FOLDED') throw unexpected(source, start, 'a block text stands there; write it on one line')
  if (/[\r\n]/.test(written)) throw unexpected(source, start, 'the value runs over several lines; write it on one')
  const { value } = scalar
  if (typeof value !== 'string' || !source.target.allowed.includes(value)) {
    throw unexpected(source, start, written === '' ? 'the value is empty' : `${written} is no known value`)
  }
  return value
}

function hasAlias(document: Document.Parsed, anchor: string): boolean {
  let found = false
  visit(document, { Alias: (_, alias) => void (found ||= alias.source === anchor) })
  return found
}

/** Says what stands at an offset of the file and what should. */
function unexpected({ target, lines }: Source, offset: number, why: string): TaskError {
  const line = lines.lineStarts.length === 0 ? 1 : Math.max(1, lines.linePos(offset).line)
  return refusal(`${target.file} is not as expected, nothing was written`, {
    where: `${target.file}:${line}`,
    why,
    fix: `expected is ${target.path.join('.')} of ${target.kind}/${target.name}, one of: ${target.allowed.join(', ')}\ngit diff -- ${target.file}`,
  })
}
