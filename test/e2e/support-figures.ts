/** Writes what a test run measured into docs/reliability.md, between the markers of its section. */
import { readFile, writeFile } from 'node:fs/promises'
import { inRepository } from '../../tasks/lib/repository.ts'

const file = inRepository('docs', 'reliability.md')

/** @returns a Markdown table; cells hold no line breaks and no bars. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replace(/\s+/g, ' ').replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Replaces the section between `<!-- name -->` and `<!-- /name -->`. */
export async function writeFigures(name: string, text: string): Promise<void> {
  const before = await readFile(file, 'utf8')
  const section = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`)
  if (!section.test(before)) throw new Error(`docs/reliability.md has no section ${name}`)
  const after = before.replace(section, (_, open: string, close: string) => `${open}${text}\n${close}`)
  if (after !== before) await writeFile(file, after)
}

interface FaultRow { name: string, words: string, survived: boolean }

/** Writes one file's rows into its own section, and the sum over all sections above them. */
export async function recordFaults(section: string, rows: readonly FaultRow[]): Promise<void> {
  await writeFigures(section, renderTable(['fault', 'what the user was told', 'survived'], rows.map(row => [row.name, row.words, row.survived ? 'yes' : 'no'])))
  const sections = (await readFile(file, 'utf8')).matchAll(/<!-- faults-\w+ -->\n([\s\S]*?)<!-- \/faults-/g)
  const lines = [...sections].flatMap(([, text = '']) => text.split('\n').filter(line => / (yes|no) \|$/.test(line)))
  await writeFigures('faults', `${lines.length} faults tried, ${lines.filter(line => line.endsWith(' yes |')).length} survived.`)
}
