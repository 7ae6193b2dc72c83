/**
 * Reads `.env`. dotenv skips what it can't read without a word and cuts an unquoted value at `#`; here every line must be an assignment,
 * a comment or empty, and dotenv only decides what a value is. No message carries a value: the file holds secrets.
 */
import { parse } from 'dotenv'
import { refusal } from './errors.ts'
import type { TaskError } from './errors.ts'
import { nearest } from './nearest.ts'

/** A `.env` file's name, as messages print it, and its text. */
export interface EnvFile {
  file: string
  text: string
}

interface Assignment {
  key: string
  line: number
  value: string
}

const expected = 'KEY=value, KEY="value", a comment or an empty line'

/**
 * @returns the file's values by key; an empty value stays an empty text.
 * @throws TaskError (exit 2) naming file and line for a line that is not an assignment, and for a key that is there twice.
 */
export function readEnvFile({ file, text }: EnvFile): Record<string, string> {
  const seen = new Map<string, Assignment>()
  for (const assignment of readAssignments({ file, text })) {
    const earlier = seen.get(assignment.key)
    if (earlier !== undefined) throw duplicate(file, assignment, earlier)
    seen.set(assignment.key, assignment)
  }
  return Object.fromEntries([...seen].map(([key, { value }]) => [key, value]))
}

/**
 * @param known every key that something reads.
 * @returns one warning for each key of the file that nothing reads, with the nearest known key. A name that may be a pasted secret is not repeated.
 */
export function unknownKeyWarnings({ file, text }: EnvFile, known: readonly string[]): string[] {
  return readAssignments({ file, text })
    .filter(({ key }) => !known.includes(key))
    .map(({ key, line }) => {
      const similar = nearest(key, known)
      const name = similar !== undefined || /^[A-Z][A-Z_]{0,39}$/.test(key) ? `: ${key}` : ''
      const hint = similar === undefined ? '' : `; did you mean ${similar}?`
      return `${file}:${line} holds a key that nothing reads${name}${hint}`
    })
}

/** @returns a warning when others than the owner may read the file, else undefined. `mode` is `fs.Stats.mode`. */
export function permissionWarning(file: string, mode: number): string | undefined {
  if ((mode & 0o077) === 0) return undefined
  return `${file} can be read by other users (mode ${(mode & 0o777).toString(8).padStart(4, '0')}): chmod 600 ${file}`
}

/**
 * Lays the process environment over `.env`, for known keys only.
 * @param options.settings keys where an empty variable counts too: `make install KUBE_CONTEXT=` asks for the rehearsal cluster.
 * @param options.secrets keys where an empty variable means "not given": CI sets absent secrets to an empty text.
 * @returns non-empty values by key.
 */
export function effectiveValues(
  fromFile: Record<string, string>,
  environment: NodeJS.ProcessEnv,
  options: { settings: readonly string[]; secrets: readonly string[] },
): Record<string, string> {
  const values: Record<string, string> = {}
  for (const key of [...options.settings, ...options.secrets]) {
    const fromProcess = environment[key]
    const overrides = fromProcess !== undefined && (fromProcess !== '' || options.settings.includes(key))
    const value = overrides ? fromProcess : fromFile[key]
    if (value !== undefined && value !== '') values[key] = value
  }
  return values
}

function readAssignments({ file, text }: EnvFile): Assignment[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)
  const assignments: Assignment[] = []
  lines.forEach((line, index) => {
    const content = line.trim()
    if (content === '' || content.startsWith('#')) return
    assignments.push(readAssignment(content, { file, line: index + 1 }))
  })
  return assignments
}

function readAssignment(content: string, place: { file: string; line: number }): Assignment {
  if (/[\0\uFFFD]/.test(content)) throw malformed(place, 'the line is not UTF-8 text')
  const [, key = '', rest] = /^(?:export\s+)?([^=]*?)\s*(?:=\s*(.*))?$/.exec(content) ?? []
  if (rest === undefined) throw malformed(place, 'the line has no "="')
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) throw malformed(place, 'what stands before "=" is no name (letters, digits and _, not starting with a digit)')
  const fault = valueFault(rest)
  if (fault !== undefined) throw malformed(place, `${key}: ${fault}`)
  return { key, line: place.line, value: parse(`${key}=${rest}`)[key] ?? '' }
}

function valueFault(rest: string): string | undefined {
  const quote = rest[0]
  if (quote === '"' || quote === "'" || quote === '`') {
    const end = rest.indexOf(quote, 1)
    if (end === -1) return `the quote ${quote} is not closed on its line`
    return /^\s*(#.*)?$/.test(rest.slice(end + 1)) ? undefined : `there is text after the closing quote ${quote}`
  }
  const [value = ''] = rest.split(/(?:^|\s)#/)
  if (value.includes('#')) return 'an unquoted value is cut at "#": put it in quotes, or a space before a comment'
  if (/["'`]/.test(value)) return 'an unquoted value holds a quote: put the whole value in quotes'
  return undefined
}

function malformed({ file, line }: { file: string; line: number }, fault: string): TaskError {
  return refusal(`${file} is malformed`, { where: `${file}:${line}`, why: fault, fix: `write ${expected}` })
}

function duplicate(file: string, later: Assignment, earlier: Assignment): TaskError {
  return refusal(`${file} sets ${later.key} twice`, {
    where: `${file}:${earlier.line} and ${file}:${later.line}`,
    why: 'only one of them could count',
    fix: 'delete one of the two lines',
  })
}
