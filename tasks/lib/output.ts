/**
 * The one writer: stderr narrates, stdout carries data. The grammar is Flux CLI's: `►` doing, `◎` waiting, `✔` done,
 * `⚠` attention, `✗` failed; lower case, no full stop.
 */
import { EXIT_FAILED, TaskError, messageOf } from './errors.ts'

const colours = { green: 32, yellow: 33, red: 31, cyan: 36, dim: 2, bold: 1 } as const
export type Colour = keyof typeof colours

/** True when stderr is a terminal a live display may redraw. */
export const isTerminal = process.stderr.isTTY === true && process.env.TERM !== 'dumb'
const coloured = isTerminal && (process.env.NO_COLOR ?? '') === ''

/** @returns text in a colour where stderr shows colours (a terminal, NO_COLOR unset), else unchanged. */
export function paint(colour: Colour, text: string): string {
  return coloured ? `\u001b[${colours[colour]}m${text}\u001b[0m` : text
}

/** Writes one narration line (or several, `text` may hold newlines) to stderr. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

export const doing = (text: string): void => say(`${paint('cyan', '►')} ${text}`)
export const waiting = (text: string): void => say(`${paint('dim', '◎')} ${text}`)
export const done = (text: string): void => say(`${paint('green', '✔')} ${text}`)
export const attention = (text: string): void => say(`${paint('yellow', '⚠')} ${text}`)

/** The closing line of a task: one command to paste. */
export const next = (command: string): void => say(`next: ${command}`)

/** Writes data to stdout, for pipes; ends it with a newline. */
export function data(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
}

/** @returns seconds as `850ms`, `4.2s`, `2m05s`. */
export function elapsed(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`
}

/** @returns an error in the house form: what, then where, why and fix where they are known. */
export function formatError(error: unknown): string {
  const lines = [`${paint('red', '✗')} ${messageOf(error)}`]
  const details = error instanceof TaskError ? error.details : { fix: 'this is a bug: run it again with DEBUG=1 and report what it prints' }
  for (const key of ['where', 'why', 'fix'] as const) {
    const text = details[key]
    if (text === undefined || text === '') continue
    const [first, ...rest] = text.trimEnd().split('\n')
    lines.push(`  ${key.padEnd(6)} ${first}`, ...rest.map(line => `         ${line}`))
  }
  if (process.env.DEBUG === '1' && error instanceof Error && error.stack) lines.push(paint('dim', error.stack))
  return lines.join('\n')
}

/** @returns the exit code that an error stands for. */
export function exitCodeOf(error: unknown): number {
  return error instanceof TaskError ? error.exitCode : EXIT_FAILED
}
