/** How far a build is and how long it may still take. */
import { say, elapsed, isTerminal } from '../lib/output.ts'

/** CPU time of a cold build in seconds, measured on 2 cores (linux/amd64, Go 1.26.8). */
const CPU_SECONDS = 1090

/** Recorded from one cold build: share of packages compiled → share of the time gone. The rest is for linking. */
const profile: readonly (readonly [number, number])[] = [
  [0, 0], [0.11, 0.07], [0.24, 0.14], [0.38, 0.27], [0.5, 0.34], [0.62, 0.48], [0.75, 0.62], [0.87, 0.76], [0.93, 0.82], [0.99, 0.89], [1, 0.92],
]

/** @param packages share of packages compiled, 0 to 1. @returns share of the time that this stands for */
export function timeShare(packages: number): number {
  const at = Math.min(1, Math.max(0, packages))
  const upper = profile.findIndex(([x]) => x >= at)
  const [x1, y1] = profile[upper] ?? [1, 1]
  const [x0, y0] = profile[upper - 1] ?? [0, 0]
  return x1 === x0 ? y1 : y0 + (y1 - y0) * (at - x0) / (x1 - x0)
}

/** @returns milliseconds that a cold build is expected to take on this many cores. */
export const expectedDuration = (cores: number): number => CPU_SECONDS * 1000 / Math.max(1, cores)

export interface BuildPosition {
  done: number
  total: number
  /** Packages that an earlier, interrupted build had compiled. */
  kept: number
  /** Milliseconds since this build began. */
  spent: number
  cores: number
}

/** @returns milliseconds left: the recorded build at first, more and more this machine's own pace. */
export function remaining(position: BuildPosition): number {
  const share = timeShare(position.done / position.total)
  const own = share - timeShare(position.kept / position.total)
  const expected = expectedDuration(position.cores)
  const measured = own > 0.02 ? position.spent / own : expected
  const trust = Math.min(1, own * 3)
  return (1 - share) * (trust * measured + (1 - trust) * expected)
}

/** @returns one line for people. */
export function progressLine(position: BuildPosition): string {
  const left = Math.max(5000, remaining(position))
  const about = left > 60_000 ? `${Math.ceil(left / 60_000)} min` : `${Math.ceil(left / 5000) * 5} s`
  const what = position.done < position.total ? 'compiling' : 'linking'
  return `${what}: ${position.done} of ${position.total} packages · ${elapsed(position.spent)} · about ${about} left`
}

/**
 * Shows a line that changes: redrawn on a terminal, elsewhere written again every 15 s.
 * @returns a function that ends it
 */
export function showProgress(line: () => string): () => void {
  const draw = () => isTerminal ? process.stderr.write(`\r\u001b[2K◎ ${line().slice(0, (process.stderr.columns ?? 80) - 3)}`) : say(`◎ ${line()}`)
  const timer = setInterval(draw, isTerminal ? 500 : 15_000)
  return () => {
    clearInterval(timer)
    if (isTerminal) process.stderr.write('\r\u001b[2K')
  }
}
