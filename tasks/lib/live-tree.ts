/** The live display: a tree that is redrawn on a terminal; elsewhere one line per change, and what still waits every 15 s. */
import { elapsed, isTerminal, paint, say } from './output.ts'
import type { Row } from './platform-tree.ts'
import { onTaskEnd } from './task.ts'

const REMIND_MS = 15_000
const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'

const marks: Record<Row['state'], string> = {
  ready: paint('green', '✔'), working: paint('cyan', '►'), waiting: paint('dim', '◎'), blocked: paint('yellow', '⚠'), failed: paint('red', '✗'), stuck: paint('red', '✗'),
}

export interface Display {
  update: (rows: Row[]) => void
  /** Ends the display, leaving the last tree on a terminal. */
  stop: () => void
}

interface Seen { state: string, words: string, since: number, said: number }

function textOf(row: Row, since: number, now: number): string {
  const age = row.state === 'ready' ? '' : paint('dim', ` ${elapsed(now - since)}`)
  const words = row.words === '' ? '' : `  ${paint('dim', oneLine(row.words))}`
  return `${'  '.repeat(row.depth)}${marks[row.state]} ${row.label}${age}${words}`
}

const oneLine = (words: string): string => words.replace(/\s+/g, ' ').trim()

// Counts visible characters only; colour codes take no room.
function fit(text: string, width: number): string {
  let visible = 0
  let result = ''
  for (const part of text.split(/(\u001b\[\d+m)/)) {
    if (part.startsWith('\u001b')) result += part
    else {
      result += part.slice(0, Math.max(0, width - visible))
      visible += part.length
    }
  }
  return result
}

/** Remembers since when each row has its state; a change of words alone does not restart its clock. */
function remember(seen: Map<string, Seen>, row: Row, now: number): Seen {
  const before = seen.get(row.label)
  const entry = before?.state === row.state ? { ...before, words: row.words } : { state: row.state, words: row.words, since: now, said: 0 }
  seen.set(row.label, entry)
  return entry
}

function terminalDisplay(): Display {
  const seen = new Map<string, Seen>()
  let drawn = 0
  const restore = () => { process.stderr.write(SHOW_CURSOR) }
  process.stderr.write(HIDE_CURSOR)
  const forget = onTaskEnd(restore)
  return {
    update: rows => {
      const now = Date.now()
      // a terminal that knows no size says 0
      const width = (process.stderr.columns || 100) - 1
      const height = Math.max(5, (process.stderr.rows || 40) - 2)
      const lines = rows.map(row => fit(textOf(row, remember(seen, row, now).since, now), width))
      const shown = lines.length > height ? [...lines.slice(0, height - 1), `… and ${lines.length - height + 1} more`] : lines
      process.stderr.write(`${drawn > 0 ? `\u001b[${drawn}A` : ''}\u001b[0J${shown.map(line => `${line}\n`).join('')}`)
      drawn = shown.length
    },
    stop: () => {
      restore()
      forget()
    },
  }
}

function plainDisplay(): Display {
  const seen = new Map<string, Seen>()
  return {
    update: rows => {
      const now = Date.now()
      for (const row of rows) {
        const before = seen.get(row.label)
        // progress within a state is for the reminder; new words of a failure are news
        const changed = before === undefined || before.state !== row.state || (before.words !== row.words && (row.state === 'failed' || row.state === 'stuck'))
        const entry = remember(seen, row, now)
        const due = row.state !== 'ready' && row.state !== 'blocked' && now - entry.said >= REMIND_MS
        if (!changed && !due) continue
        say(textOf(row, entry.since, now))
        seen.set(row.label, { ...entry, said: now })
      }
    },
    stop: () => undefined,
  }
}

/** Starts a display fit for where stderr goes. */
export function openDisplay(): Display {
  return isTerminal ? terminalDisplay() : plainDisplay()
}
