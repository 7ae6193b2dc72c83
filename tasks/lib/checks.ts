/** Prints a proof: counts when it holds, every fault when it does not. */
import { failure } from './errors.ts'
import { attention, done, paint, say } from './output.ts'
import type { Check } from './proof.ts'

const plural = (count: number, word: string): string => `${count} ${count === 1 ? word : word.endsWith('y') ? word.replace(/y$/, 'ies') : `${word}s`}`

/** Says what was proved, one line per kind, then each fault. */
export function printChecks(checks: Check[]): void {
  const held = checks.filter(check => check.ok)
  const judged = held.filter(check => check.compared === undefined)
  const kinds = [...new Set(judged.map(check => kindOf(check)))]
  const summary = kinds.map(kind => plural(judged.filter(check => kindOf(check) === kind).length, kind))
  for (const [how, words] of [['fields', 'as in Git'], ['existence', 'known to be there']] as const) {
    const count = held.filter(check => check.compared === how).length
    if (count > 0) summary.push(`${plural(count, 'object')} ${words}`)
  }
  for (const check of checks.filter(one => !one.ok || one.compared === 'none')) attention(`${check.subject}: ${check.words}`)
  for (const check of judged.filter(one => kindOf(one) === 'Certificate')) done(`${check.subject} · ${check.words}`)
  say(paint('dim', `  proved: ${summary.join(', ')}`))
}

const kindOf = (check: Check): string => check.subject.split('/')[0] ?? ''

/** @throws failure when a check does not hold */
export function requireProof(checks: Check[], fix: string): void {
  const faults = checks.filter(check => !check.ok)
  if (faults.length === 0) return
  throw failure(`${faults.length} of ${checks.length} checks do not hold`, { why: faults.map(fault => `${fault.subject}: ${fault.words}`).join('\n'), fix })
}
