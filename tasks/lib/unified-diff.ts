const CONTEXT_LINES = 3

/**
 * @param options.file path from the repository's root.
 * @returns the unified diff between two texts that differ in one line, as `git apply` takes it. Line ends are kept.
 */
export function oneLineDiff(before: string, after: string, options: { file: string }): string {
  const old = splitLines(before)
  const changed = splitLines(after)
  const at = old.findIndex((line, index) => line !== changed[index])
  const from = Math.max(0, at - CONTEXT_LINES)
  const to = Math.min(old.length, at + 1 + CONTEXT_LINES)
  const range = `${from + 1},${to - from}`
  const hunk = [
    ...old.slice(from, at).map(line => ` ${line}`),
    ...[old[at]].map(line => `-${line}`),
    ...[changed[at]].map(line => `+${line}`),
    ...old.slice(at + 1, to).map(line => ` ${line}`),
  ]
  const ended = hunk.map(line => (line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`))
  return `--- a/${options.file}\n+++ b/${options.file}\n@@ -${range} +${range} @@\n${ended.join('')}`
}

/** @returns the lines of a text, each with its line end. */
const splitLines = (text: string): string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []
