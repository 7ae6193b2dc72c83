/**
 * Runs the tests of the given areas, each file as a process of its own, and adds up what uvu counted.
 * Usage: node --import tsx/esm test/run.ts [unit] [contract] [e2e] [part of a file's name …] [--jobs=N] [--timeout=SECONDS]
 * A file that runs no test, ends early or takes too long counts as failed. In the unit area `tsc --noEmit` is one more test.
 */
import { readdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { failure, refusal } from '../tasks/lib/errors.ts'
import { data, elapsed, paint, say, waiting } from '../tasks/lib/output.ts'
import { repositoryRoot } from '../tasks/lib/repository.ts'
import { runTask } from '../tasks/lib/task.ts'
import { runProcess, signalAll } from './runner/process.ts'
import { type Totals, addTotals, readTotals } from './runner/totals.ts'

const areas = ['unit', 'contract', 'e2e'] as const
type Area = (typeof areas)[number]

/** Seconds that one file may take, on a machine that is busy with a Go build. */
const timeouts: Record<Area, number> = { unit: 120, contract: 300, e2e: 1800 }
/** Milliseconds between signs of life of a file that still runs. */
const HEARTBEAT = 30_000

interface Job {
  area: Area
  name: string
  command: readonly [string, ...string[]]
}

function listJobs(area: Area): Job[] {
  const files = readdirSync(path.join('test', area), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.test.ts')).sort()
  const jobs = files.map((file): Job => ({ area, name: `${area}/${file}`, command: [process.execPath, '--import', 'tsx/esm', path.join('test', area, file)] }))
  return area === 'unit' ? [{ area, name: 'unit/tsc --noEmit', command: ['node_modules/.bin/tsc', '--noEmit'] }, ...jobs] : jobs
}

async function runJob(job: Job, timeout: number): Promise<Totals> {
  const started = Date.now()
  let lastLine = ''
  const heartbeat = setInterval(() => waiting(`${job.name} ${elapsed(Date.now() - started)} ${lastLine.slice(0, 120)}`), HEARTBEAT)
  const ending = await runProcess(job.command, { timeout, onLine: line => { lastLine = line } })
  clearInterval(heartbeat)
  const isTypeCheck = job.command[0] !== process.execPath
  const counted = isTypeCheck ? { passed: ending.status === 0 ? 1 : 0, failed: ending.status === 0 ? 0 : 1, skipped: 0 } : readTotals(ending)
  const summary = `${job.name} ${counted.passed} passed${counted.skipped > 0 ? `, ${counted.skipped} skipped` : ''} ${elapsed(Date.now() - started)}`
  if (counted.failed === 0) say(`${paint('green', '✔')} ${summary}`)
  else say(`${ending.output.trimEnd()}\n${paint('red', '✗')} ${summary}, ${counted.failed} failed${'fault' in counted ? `: ${counted.fault}` : ''}`)
  return counted
}

/** Runs jobs, `width` at a time, in their order. */
async function runJobs(jobs: readonly Job[], options: { width: number; timeout: (job: Job) => number }): Promise<Totals[]> {
  const queue = [...jobs]
  const totals: Totals[] = []
  const worker = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) totals.push(await runJob(job, options.timeout(job)))
  }
  await Promise.all(Array.from({ length: options.width }, worker))
  return totals
}

await runTask(async () => {
  process.chdir(repositoryRoot)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.prependListener(name, () => signalAll('SIGTERM'))
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { jobs: { type: 'string' }, timeout: { type: 'string' } } })
  const wanted = areas.filter(area => positionals.includes(area))
  const filters = positionals.filter(name => !areas.some(area => area === name))
  const jobs = (wanted.length > 0 ? wanted : areas).flatMap(listJobs).filter(({ name }) => filters.length === 0 || filters.some(filter => name.includes(filter)))
  if (jobs.length === 0) throw refusal('no test file matches', { why: `areas ${areas.join(', ')}; a name is part of a path below test/` })

  // the unit area needs neither Go nor a cluster; a cold build takes longer than any one test file may
  if (jobs.some(({ area }) => area !== 'unit')) await (await import('../tasks/rehearsal/build.ts')).buildPrograms()

  const timeout = ({ area }: Job): number => Number(values.timeout ?? timeouts[area]) * 1000
  const isClusterJob = ({ area }: Job): boolean => area === 'e2e'
  const started = Date.now()
  const totals = addTotals([
    ...await runJobs(jobs.filter(job => !isClusterJob(job)), { width: Number(values.jobs ?? os.availableParallelism()), timeout }),
    ...await runJobs(jobs.filter(isClusterJob), { width: Number(values.jobs ?? 1), timeout }),
  ])
  say(`${jobs.length} files in ${elapsed(Date.now() - started)}`)
  process.once('exit', () => data(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`))
  if (totals.failed > 0) throw failure(`${totals.failed} of ${totals.passed + totals.failed} tests failed`, { fix: 'node --import tsx FILE runs one file alone' })
})
