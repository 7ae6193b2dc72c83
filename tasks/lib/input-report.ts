/** What becomes of an input plan: the Secret to apply, and the texts that a person reads. Only renderSecret() carries values. */
import { refusal } from './errors.ts'
import type { TaskError } from './errors.ts'
import { planInputs } from './input-plan.ts'
import type { InputPlan, InputRow, InputState } from './input-plan.ts'
import { derivedInputs, settingKeys, valueInputs } from './inputs.ts'

export const sourceSecret = { namespace: 'flux-system', name: 'platform-runtime-inputs' } as const

export interface SecretManifest {
  apiVersion: 'v1'
  kind: 'Secret'
  metadata: { name: string; namespace: string; labels: Record<string, string> }
  type: 'Opaque'
  data: Record<string, string>
}

/** @returns the source Secret. It holds the values: hand it over on stdin or in a request's body, nowhere else. */
export function renderSecret(data: Record<string, string>): SecretManifest {
  const encoded = Object.keys(data).sort().map(key => [key, Buffer.from(data[key] ?? '').toString('base64')])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...sourceSecret, labels: { 'app.kubernetes.io/part-of': 'homelab', 'reconcile.fluxcd.io/watch': 'Enabled' } },
    type: 'Opaque',
    data: Object.fromEntries(encoded),
  }
}

/**
 * @param options.written false on a dry run: what is generated then is thrown away, so its checksums would mislead.
 * @returns one line per key: key, state, checksum, note.
 */
export function describePlan({ rows }: Pick<InputPlan, 'rows'>, options: { written: boolean }): string[] {
  const keyWidth = Math.max(...rows.map(({ key }) => key.length))
  const stateWidth = Math.max(...rows.map(({ state }) => state.length))
  const provisional: InputState[] = !options.written && rows.some(({ state }) => state === 'generated') ? ['generated', 'derived'] : []
  const line = ({ key, state, checksum = '-', note = '' }: InputRow): string =>
    `${key.padEnd(keyWidth)}  ${state.padEnd(stateWidth)}  ${(provisional.includes(state) ? 'new' : checksum).padEnd(20)}  ${note}`.trimEnd()
  return rows.map(line)
}

/** @returns how many keys are in each state, in the table's order, e.g. `2 given · 7 generated · 3 derived`. */
export function countStates({ rows }: Pick<InputPlan, 'rows'>): string {
  const counts = new Map<InputState, number>()
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${state}`).join(' · ')
}

/** @throws TaskError (exit 2) naming every key whose value can't be used. Call it before anything is written. */
export function refuseInvalid(plan: Pick<InputPlan, 'invalid'>): void {
  if (plan.invalid.length > 0) throw invalidInputs(plan.invalid)
}

/** @throws TaskError as refuseInvalid() does, for the user's own values alone: before a cluster is started or asked. */
export function refuseInvalidGiven(given: Record<string, string>): void {
  refuseInvalid(planInputs({ given, existing: undefined, rehearsal: true }))
}

function invalidInputs(invalid: InputPlan['invalid']): TaskError {
  const inCluster = invalid.filter(({ origin }) => origin === 'cluster').map(({ key }) => key)
  const where = inCluster.length < invalid.length ? '.env or the environment' : `Secret/${sourceSecret.namespace}/${sourceSecret.name}`
  const fix = inCluster.map(key => `set ${key} in .env, its value in the cluster is no use`)
  if (inCluster.length < invalid.length) fix.push('correct it in .env, then: make secrets-sync')
  return refusal(invalid.length === 1 ? 'a runtime input can not be used' : `${invalid.length} runtime inputs can not be used`, {
    where,
    why: invalid.map(({ key, reason }) => `${key} ${reason}`).join('\n'),
    fix: fix.join('\n'),
  })
}

/** @returns the text of `.env.example`. */
export function renderEnvExample(): string {
  const block = (key: string, comment: string[], assignment: string): string => [...comment.map(line => `# ${line}`), assignment.replace('KEY', key)].join('\n')
  const ofKind = (kind: 'required' | 'generated', assignment: string): string[] =>
    valueInputs.filter(input => input.kind === kind).map(({ key, purpose, whereToGet }) => block(key, kind === 'required' ? [purpose, whereToGet] : [purpose], assignment))
  return `${[
    '# Copy to .env and keep it private: cp .env.example .env && chmod 600 .env\n# Made from tasks/lib/inputs.ts. An empty value counts as absent; variables of the process override this file.',
    block(settingKeys[0], ['kubectl context of your cluster; empty means the rehearsal cluster, never the current context'], 'KEY='),
    ...ofKind('required', 'KEY='),
    '# All below is made once by `make secrets-sync` and kept in the cluster. Set a key only to bring your own value.',
    ...ofKind('generated', '# KEY='),
  ].join('\n\n')}\n`
}

/** @returns the text of docs/runtime-inputs.md. */
export function renderInputsTable(): string {
  const rows = [
    ...valueInputs.map(({ key, kind, consumers, purpose, whereToGet }) => [key, kind, consumers.join(', '), purpose, whereToGet]),
    ...derivedInputs.map(({ key, kind, consumer, purpose }) => [key, kind, consumer, purpose, `SHA-256 over all keys of ${consumer}, shortened`]),
  ]
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
  return [
    '# Runtime inputs',
    '',
    `What comes from the environment instead of Git, all of it in Secret \`${sourceSecret.namespace}/${sourceSecret.name}\`, written by \`make secrets-sync\`.`,
    'This file and `.env.example` are made from `tasks/lib/inputs.ts`: `UPDATE=1 node --import tsx test/unit/inputs-files.test.ts`.',
    '',
    '| key | kind | used by | what | where to get it |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(row => `| \`${row[0]}\` | ${row.slice(1).map(text => cell(text ?? '')).join(' | ')} |`),
    '',
  ].join('\n')
}
