/** Decides what the source Secret should hold. Nothing here reads or writes anything, and no text it makes holds a value. */
import { createHash } from 'node:crypto'
import { consumers, derivedInputs, valueInputs } from './inputs.ts'
import type { Consumer, ValueInput } from './inputs.ts'

/**
 * given: from `.env` or the environment, new in the cluster; changed: given and another value than the cluster's; unchanged: given (or
 * derived) and the cluster's value; kept: not given, the cluster's value stays; removed: no longer a key of the contract.
 */
export type InputState = 'given' | 'changed' | 'unchanged' | 'kept' | 'generated' | 'derived' | 'missing' | 'invalid' | 'removed'

export interface InputRow {
  key: string
  state: InputState
  /** First 12 hex digits of the value's SHA-256, for people to compare; absent where there is no usable value. */
  checksum?: string
  /** What to know about the state: why it is invalid, where to get it, that it serves the rehearsal only. */
  note?: string
}

export interface PlanRequest {
  /** Values from `.env` and the process environment, as effectiveValues() returns them. */
  given: Record<string, string>
  /** Decoded data of the source Secret, undefined when there is none. */
  existing: Record<string, string> | undefined
  /** True on the rehearsal cluster: absent required keys are generated too. */
  rehearsal: boolean
}

export interface InputPlan {
  /** Every key to write with its value; only usable values. */
  data: Record<string, string>
  rows: InputRow[]
  /** Required keys without a value. */
  missing: { key: string; whereToGet: string }[]
  /** Keys whose value is refused; a plan with any must not be written, see refuseInvalid(). */
  invalid: { key: string; reason: string; origin: 'given' | 'cluster' }[]
  /** Keys of the cluster's Secret that `data` no longer holds. */
  removedKeys: string[]
  /** Consumers whose checksum changes, so whose pods are rolled. Empty on the first write. */
  rolls: Consumer[]
  /** True when `data` is not what the cluster holds. */
  changed: boolean
}

interface Decision {
  row: InputRow
  value?: string
  origin?: 'given' | 'cluster'
}

export function planInputs({ given, existing, rehearsal }: PlanRequest): InputPlan {
  const decisions = valueInputs.map(input => decide(input, { given: given[input.key] ?? '', existing: existing?.[input.key] ?? '', rehearsal }))
  const data: Record<string, string> = {}
  for (const { row, value } of decisions) if (value !== undefined) data[row.key] = value
  const derivedRows = deriveChecksums(data, existing)
  const removedKeys = Object.keys(existing ?? {}).filter(key => data[key] === undefined)
  return {
    data,
    rows: [...decisions.map(({ row }) => row), ...derivedRows, ...staleRows(removedKeys)],
    missing: decisions.flatMap(({ row }) => (row.state === 'missing' ? [{ key: row.key, whereToGet: row.note ?? '' }] : [])),
    invalid: decisions.flatMap(({ row, origin }) => (row.state === 'invalid' ? [{ key: row.key, reason: row.note ?? '', origin: origin ?? 'given' }] : [])),
    removedKeys,
    rolls: rolledConsumers(data, existing),
    changed: removedKeys.length > 0 || Object.keys(data).some(key => data[key] !== existing?.[key]),
  }
}

function decide(input: ValueInput, values: { given: string; existing: string; rehearsal: boolean }): Decision {
  const { given, existing } = values
  const candidate = given === '' ? existing : given
  const origin = given === '' ? 'cluster' : 'given'
  if (candidate === '') return decideAbsent(input, values.rehearsal)
  const fault = input.fault(candidate)
  if (fault !== undefined) return { row: { key: input.key, state: 'invalid', note: fault }, origin }
  const row = (state: InputState, note?: string): Decision => ({
    row: { key: input.key, state, checksum: shortChecksum(candidate), ...(note === undefined ? {} : { note }) },
    value: candidate,
    origin,
  })
  if (given === '') return input.kind === 'required' ? row('kept', 'not in .env, the cluster still holds it') : row('kept')
  if (existing === '') return row('given')
  return row(existing === given ? 'unchanged' : 'changed')
}

function decideAbsent(input: ValueInput, rehearsal: boolean): Decision {
  if (input.kind === 'required' && !rehearsal) return { row: { key: input.key, state: 'missing', note: input.whereToGet } }
  const value = input.generate()
  const note = input.kind === 'required' ? { note: 'stands in for yours, rehearsal only' } : {}
  return { row: { key: input.key, state: 'generated', checksum: shortChecksum(value), ...note }, value }
}

/** Adds each consumer's checksum to `data` when all its keys have values. */
function deriveChecksums(data: Record<string, string>, existing: Record<string, string> | undefined): InputRow[] {
  return derivedInputs.map(({ key, consumer }) => {
    const used = valueInputs.filter(input => input.consumers.includes(consumer))
    const absent = used.filter(input => data[input.key] === undefined).map(input => input.key)
    if (absent.length > 0) return { key, state: 'missing', note: `needs ${absent.join(', ')}` }
    const checksum = consumerChecksum(Object.fromEntries(used.map(input => [input.key, data[input.key] ?? ''])))
    data[key] = checksum
    return { key, state: existing?.[key] === checksum ? 'unchanged' : 'derived', checksum }
  })
}

/** @returns a row for each key that is not, or no longer, part of the contract. */
function staleRows(removedKeys: readonly string[]): InputRow[] {
  const known = [...valueInputs, ...derivedInputs].map(({ key }) => key)
  return removedKeys.filter(key => !known.includes(key)).map(key => ({ key, state: 'removed', note: 'nothing uses it' }))
}

function rolledConsumers(data: Record<string, string>, existing: Record<string, string> | undefined): Consumer[] {
  return consumers.filter(consumer => {
    const key = derivedInputs.find(input => input.consumer === consumer)?.key ?? ''
    return existing?.[key] !== undefined && data[key] !== undefined && existing[key] !== data[key]
  })
}

/**
 * Judges the source Secret as it is, for read-only proof.
 * @returns keys without a value or with an unusable one, and derived keys that do not fit the values.
 */
export function auditInputs(existing: Record<string, string> | undefined): Pick<InputPlan, 'missing' | 'invalid'> & { stale: string[] } {
  const held = existing ?? {}
  const absent = valueInputs.filter(({ key }) => (held[key] ?? '') === '')
  const plan = planInputs({ given: {}, existing, rehearsal: false })
  return {
    missing: absent.map(({ key, whereToGet }) => ({ key, whereToGet })),
    invalid: plan.invalid,
    stale: absent.length > 0 ? [] : plan.rows.filter(row => row.state === 'derived').map(({ key }) => key),
  }
}

/** @returns a checksum of all values of one consumer; its prefix keeps YAML from reading it as a number. */
export function consumerChecksum(values: Record<string, string>): string {
  const lines = Object.keys(values).sort().map(key => `${key}=${values[key]}`)
  return `sha-${sha256(lines.join('\n')).slice(0, 16)}`
}

const shortChecksum = (value: string): string => sha256(value).slice(0, 12)
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
