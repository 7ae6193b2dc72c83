/**
 * Computes the tables of docs/performance.md from docs/performance.json.
 * Usage: node --import tsx/esm test/bench/table.ts
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { done } from '../../tasks/lib/output.ts'
import { inRepository } from '../../tasks/lib/repository.ts'
import { runTask } from '../../tasks/lib/task.ts'
import { type PartSamples, type Samples, type Spread, readSamples, spreadOf } from './samples.ts'

const DOCUMENT = inRepository('docs', 'performance.md')
const WANTED_RUNS = 5

interface Figure {
  part: string
  label: string
  series: string
  /** What it is divided by, in the same run. */
  over?: { series: string, label: string }
  target: string
  meets?: (spread: Spread, ratio: Spread | undefined) => boolean
}

const bound = (name: string) => ({ series: `${name}.bound`, label: 'bound' })
const ours = (series: string) => ({ series, label: 'our chain' })

const figures: readonly Figure[] = [
  { part: 'cluster', label: '(a) our chain: empty cluster → all Ready', series: 'ours.ready', over: bound('ours'), target: '≤ 1.25 × bound', meets: (_, ratio) => (ratio?.median ?? 9) <= 1.25 },
  { part: 'cluster', label: '(a) our chain: … and all certificates issued', series: 'ours.certificates', over: ours('ours.ready'), target: '' },
  { part: 'cluster', label: '(a) our manifests, stock Flux, no poking', series: 'stock.ready', over: ours('ours.ready'), target: '' },
  { part: 'cluster', label: '(a) reference chain', series: 'reference.ready', over: ours('ours.ready'), target: '≥ 8 × our chain', meets: (_, ratio) => (ratio?.median ?? 0) >= 8 },
  { part: 'cluster', label: '(a) reference chain, certificates to certificates', series: 'reference.certificates', over: { series: 'ours.certificates', label: 'our chain' }, target: '' },
  { part: 'cluster', label: '(a) `make install`, warm, to proof', series: 'ours.install', over: ours('ours.ready'), target: '≤ 30 s', meets: ({ median }) => median <= 30 },
  { part: 'cluster', label: '(b) mode change: commit → all Ready', series: 'mode.ready', over: bound('mode'), target: '≤ 6 s', meets: ({ median }) => median <= 6 },
  { part: 'cluster', label: '(c) no-op commit → all Ready', series: 'noop.ready', over: bound('noop'), target: '≤ 4 s', meets: ({ median }) => median <= 4 },
  { part: 'cluster', label: '(d) rotation: source Secret → target Secret', series: 'rotation.target', over: { series: 'rotation.rollout', label: 'the rollout alone' }, target: '≤ 2 s', meets: ({ median }) => median <= 2 },
  { part: 'cluster', label: '(d) rotation: source Secret → pods rolled', series: 'rotation.rolled', over: { series: 'rotation.rollout', label: 'the rollout alone' }, target: '≤ 10 s', meets: ({ median }) => median <= 10 },
  { part: 'cluster', label: '(e) teardown to its proof', series: 'teardown', over: ours('ours.ready'), target: '' },
  { part: 'cluster', label: '(f) warm rehearsal start', series: 'start', over: ours('ours.ready'), target: '' },
  { part: 'start-up', label: '(g) mode task, `make platform-certs-prod`', series: 'make', over: { series: 'empty', label: 'an empty tsx script' }, target: '≤ 0.4 s', meets: ({ median }) => median <= 0.4 },
  { part: 'start-up', label: '(g) the same without make', series: 'task', over: { series: 'empty', label: 'an empty tsx script' }, target: '≤ 1.3 × empty', meets: (_, ratio) => (ratio?.median ?? 9) <= 1.3 },
  { part: 'start-up', label: '(g) an empty tsx script', series: 'empty', over: { series: 'node', label: '`node -e 0`' }, target: '' },
  { part: 'start-up', label: '(g) `make help`', series: 'help', over: { series: 'node', label: '`node -e 0`' }, target: '≤ 0.1 s', meets: ({ median }) => median <= 0.1 },
  { part: 'cluster', label: '(i) platform switch → certificates re-issued', series: 'certificates.issued', over: { series: 'certificates.cert-manager', label: 'cert-manager alone' }, target: '≤ 15 s', meets: ({ median }) => median <= 15 },
]

const number = (value: number): string => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
const shown = ({ median, min, max, count }: Spread, unit: string): string => `${number(median)}${unit} (${number(min)}–${number(max)}${count < WANTED_RUNS ? `, only ${count}` : ''})`

/** @returns the quotients of two series, run by run. */
export function ratios(part: PartSamples, series: string, over: string): number[] {
  const below = part.series[over] ?? []
  return (part.series[series] ?? []).flatMap((value, run) => (below[run] ?? 0) > 0 ? [value / (below[run] ?? 1)] : [])
}

function row(samples: Samples, figure: Figure): string {
  const part = samples[figure.part]
  const spread = spreadOf(part?.series[figure.series] ?? [])
  if (part === undefined || spread === undefined) return `| ${figure.label} | not measured | | ${figure.target} | |`
  const ratio = figure.over && spreadOf(ratios(part, figure.series, figure.over.series))
  const quotient = ratio && figure.over ? `${shown(ratio, ' ×')} ${figure.over.label}` : ''
  const verdict = figure.meets === undefined ? '' : figure.meets(spread, ratio) ? 'yes' : '**no**'
  return `| ${figure.label} | ${shown(spread, ' s')} | ${quotient} | ${figure.target} | ${verdict} |`
}

function growthRows({ series }: PartSamples, what: string): string[] {
  const sizes = [...new Set(Object.keys(series).filter(name => name.startsWith(`${what}.`)).map(name => Number(name.split('.')[1])))].sort((a, b) => a - b)
  const value = (name: string, unit: string): string => {
    const spread = spreadOf(series[name] ?? [])
    return spread === undefined ? '–' : shown(spread, unit)
  }
  const first = spreadOf(series[`${what}.1.noop.ready`] ?? [])?.median
  return sizes.map(size => {
    const name = `${what}.${size}`
    const noop = spreadOf(series[`${name}.noop.ready`] ?? [])?.median
    const grown = noop === undefined || first === undefined ? '–' : `${number(noop / first)} ×`
    const peak = Math.max(0, ...Object.entries(series).filter(([key]) => key.startsWith(`${name}.`) && key.endsWith('.memory.mib')).flatMap(([, values]) => values))
    const streams = series[`${name}.idle.streams`]?.[0]
    const idle = streams === undefined ? '–' : `${series[`${name}.idle.cpu.percent`]?.[0]?.toFixed(1) ?? '–'} %, ${streams} streams for ${series[`${name}.idle.kinds`]?.[0] ?? '–'} kinds`
    return `| ${size} ${what} | ${series[`${name}.added.ready`]?.[0] === undefined ? '–' : `${number(series[`${name}.added.ready`]?.[0] ?? 0)} s`} | ${value(`${name}.noop.ready`, ' s')} | ${grown} | ${number(peak)} MiB | ${value(`${name}.noop.cpu.percent`, ' %')} | ${idle} |`
  })
}

function pathTable(part: PartSamples, name: string): string[] {
  const all = part.paths[name] ?? []
  const values = part.series[`${name}.ready`] ?? []
  const middle = spreadOf(values)?.median
  const run = values.findIndex(value => value >= (middle ?? 0) - 0.0005 && value <= (middle ?? 0) + 0.0005)
  const path = all[Math.max(0, run)]
  if (path === undefined) return []
  return ['', `Critical path, \`${name}\`, run ${Math.max(0, run) + 1} (its median):`, '', '| step | needed | waited before or after it |', '| --- | --- | --- |', ...path.map(({ step, work, waited }) => `| ${step} | ${work.toFixed(2)} s | ${waited.toFixed(2)} s |`)]
}

/** @returns the Markdown between the marks. */
export function renderTables(samples: Samples): string {
  const about = Object.entries(samples).map(([name, part]) => `- ${name}: commit ${part.commit}, ${part.date}, ${part.machine}, load before the runs ${part.load.map(load => load.toFixed(1)).join(', ')}`)
  const growth = samples.growth
  return [
    'Median (min–max); a ratio is the median of the ratios of each run.', '',
    '| what | time | ratio | target | met |', '| --- | --- | --- | --- | --- |', ...figures.map(figure => row(samples, figure)),
    ...growth === undefined ? [] : ['', '| (h) size | added → all Ready | no-op commit → all Ready | growth | task\'s peak memory | its CPU while following | idle wait: CPU, watches |', '| --- | --- | --- | --- | --- | --- | --- |', ...['apps', 'services'].flatMap(what => growthRows(growth, what))],
    ...samples.cluster === undefined ? [] : ['ours', 'stock', 'reference', 'noop', 'mode'].flatMap(name => pathTable(samples.cluster as PartSamples, name)),
    '', 'Measured:', '', ...about,
  ].join('\n')
}

const MARKS = /(<!-- tables -->\n)[\s\S]*?(\n<!-- end of tables -->)/

/** Replaces what stands between the marks of docs/performance.md. */
export async function writeTables(): Promise<void> {
  const [text, samples] = await Promise.all([readFile(DOCUMENT, 'utf8'), readSamples()])
  await writeFile(DOCUMENT, text.replace(MARKS, (_, before: string, after: string) => `${before}${renderTables(samples)}${after}`))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runTask(async () => {
    await writeTables()
    done('docs/performance.md holds the tables of docs/performance.json')
  })
}
