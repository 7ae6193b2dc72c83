/** The raw samples of a bench run, kept as JSON so that every figure can be computed again. */
import { readFile, writeFile } from 'node:fs/promises'
import { hasCode } from '../../tasks/lib/errors.ts'
import { inRepository } from '../../tasks/lib/repository.ts'

export const SAMPLES_FILE = inRepository('docs', 'performance.json')

/** One step of a critical path: what a controller did, and how long it had been possible before it began. Seconds. */
export interface PathStep {
  step: string
  work: number
  waited: number
}

/** What one part measured; values of one run have the same index in every series. */
export interface PartSamples {
  commit: string
  date: string
  machine: string
  /** Load of the machine (one-minute average) as each run began. */
  load: number[]
  /** Seconds, but for names that end in `.mib` or `.percent`. */
  series: Record<string, number[]>
  /** Critical path of each run, by variant. */
  paths: Record<string, PathStep[][]>
}

export type Samples = Record<string, PartSamples>

export async function readSamples(): Promise<Samples> {
  try {
    return JSON.parse(await readFile(SAMPLES_FILE, 'utf8')) as Samples
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return {}
    throw error
  }
}

const rounded = (_key: string, value: unknown): unknown => typeof value === 'number' ? Math.round(value * 1000) / 1000 : value

// one line per array of numbers: a diff then shows which series changed
const compact = (text: string): string => text.replace(/\[\s+((?:-?[\d.]+,?\s+)+)\]/g, (_, inner: string) => `[${inner.trim().replace(/\s+/g, ' ')}]`)
  .replace(/\{\s+("step": [^\n]*)\s+("work": [^\n]*)\s+("waited": [^\n]*)\s+\}/g, '{ $1 $2 $3 }')

export async function writeSamples(samples: Samples): Promise<void> {
  await writeFile(SAMPLES_FILE, `${compact(JSON.stringify(samples, rounded, 2))}\n`)
}

export interface Spread { median: number, min: number, max: number, count: number }

/** @returns the spread of the values; undefined when there are none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const [min, max, middle] = [sorted[0], sorted.at(-1), Math.floor(sorted.length / 2)]
  if (min === undefined || max === undefined) return undefined
  const high = sorted[middle] ?? max
  return { median: sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2, min, max, count: sorted.length }
}
