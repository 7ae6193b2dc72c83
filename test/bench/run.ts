/**
 * Measures the platform on a rehearsal cluster of its own, writes docs/performance.json and the tables of docs/performance.md.
 * Usage: make bench [BENCH_RUNS=5] [BENCH_ONLY=a,b,c,d,e,f,g,h,i]
 */
import os from 'node:os'
import { execFileSync } from 'node:child_process'
import { refusal } from '../../tasks/lib/errors.ts'
import { doing, done, elapsed } from '../../tasks/lib/output.ts'
import { runTask } from '../../tasks/lib/task.ts'
import type { Lab } from '../e2e/support.ts'
import { type Measured, clusterParts, clusterRun } from './cluster-run.ts'
import { growthRun } from './growth.ts'
import { openBench, report } from './lab.ts'
import { type PartSamples, readSamples, writeSamples } from './samples.ts'
import { startUpRun } from './start-up.ts'
import { writeTables } from './table.ts'

interface Part {
  /** Name in docs/performance.json. */
  name: string
  letters: readonly string[]
  /** One run; what it yields is kept at once, so that an interrupted bench loses nothing. */
  measure: (lab: Lab, only: readonly string[]) => AsyncIterable<Measured>
  runs: (wanted: number) => number
}

const parts: readonly Part[] = [
  { name: 'start-up', letters: ['g'], measure: startUpRun, runs: wanted => wanted * 3 },
  { name: 'cluster', letters: clusterParts, measure: clusterRun, runs: wanted => wanted },
  { name: 'growth', letters: ['h'], measure: growthRun, runs: () => 1 },
]

const machine = (): string => `${os.availableParallelism()} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}, Node ${process.version}`
const head = (): string => execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim()

function add(samples: PartSamples, { values, paths = {} }: Measured): void {
  for (const [name, value] of Object.entries(values)) (samples.series[name] ??= []).push(value)
  for (const [name, path] of Object.entries(paths)) (samples.paths[name] ??= []).push(path)
}

async function runPart(part: Part, lab: Lab, options: { runs: number, only: readonly string[] }): Promise<void> {
  const fresh: PartSamples = { commit: head(), date: new Date().toISOString().slice(0, 10), machine: machine(), load: [], series: {}, paths: {} }
  for (let run = 1; run <= options.runs; run += 1) {
    const started = Date.now()
    doing(`${part.name}: run ${run} of ${options.runs}`)
    fresh.load.push(os.loadavg()[0] ?? 0)
    for await (const measured of part.measure(lab, options.only)) {
      report(measured.values)
      add(fresh, measured)
      await writeSamples({ ...await readSamples(), [part.name]: fresh })
    }
    done(`${part.name}: run ${run} of ${options.runs} · ${elapsed(Date.now() - started)}`)
  }
}

await runTask(async () => {
  const started = Date.now()
  const runs = Number(process.env.BENCH_RUNS || 5)
  if (!Number.isInteger(runs) || runs < 1) throw refusal('BENCH_RUNS is not a number of runs', { fix: 'make bench BENCH_RUNS=5' })
  const all = parts.flatMap(part => part.letters)
  const only = (process.env.BENCH_ONLY || all.join(',')).split(',')
  const unknown = only.filter(letter => !all.includes(letter))
  if (unknown.length > 0) throw refusal(`there is no part ${unknown.join(', ')} to measure`, { why: `there are: ${all.join(', ')}`, fix: 'make bench BENCH_ONLY=a,b' })
  const lab = await openBench()
  for (const part of parts.filter(one => one.letters.some(letter => only.includes(letter)))) await runPart(part, lab, { runs: part.runs(runs), only })
  await writeTables()
  done(`measured in ${elapsed(Date.now() - started)}: docs/performance.md and docs/performance.json`)
})
