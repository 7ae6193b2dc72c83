/** What one test file, or all of them, came to. */
export interface Totals {
  passed: number
  failed: number
  skipped: number
}

/** How a test file's process ended. */
export interface Ending {
  /** Exit code, or the signal that ended it. */
  status: number | string
  timedOut: boolean
  output: string
}

const ANSI = /\u001b\[[0-9;]*m/g

/**
 * Reads uvu's closing lines. A process that fails without a failed test, and one that ran no test at all (uvu then exits 0), count as one
 * failure.
 * @returns the totals, and why the file failed where no test says so.
 */
export function readTotals({ status, timedOut, output }: Ending): Totals & { fault?: string } {
  const text = output.replace(ANSI, '')
  const count = (label: string): number => [...text.matchAll(new RegExp(`^ {2}${label}: +(\\d+)$`, 'gm'))].reduce((sum, match) => sum + Number(match[1]), 0)
  const passed = count('Passed')
  const skipped = count('Skipped')
  const failed = count('Total') - passed
  const fault = faultOf({ status, timedOut }, { failed, ran: passed + failed + skipped })
  return fault === undefined ? { passed, failed, skipped } : { passed, failed: failed + 1, skipped, fault }
}

function faultOf({ status, timedOut }: Omit<Ending, 'output'>, { failed, ran }: { failed: number; ran: number }): string | undefined {
  if (timedOut) return 'took too long and was ended'
  if (status !== 0 && failed === 0) return `ended with ${status} although no test failed`
  if (ran === 0) return 'ran no test: does every suite call .run()?'
  return undefined
}

/** @returns the sum of several totals. */
export function addTotals(all: readonly Totals[]): Totals {
  const sum = (key: keyof Totals): number => all.reduce((total, each) => total + each[key], 0)
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }
}
