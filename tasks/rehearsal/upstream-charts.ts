/** REHEARSAL_CHARTS=upstream: the rehearsal serves the real charts, at the versions that the manifests pin, in the place of the stand-ins. */
import { readFile, readdir } from 'node:fs/promises'
import { parseAllDocuments } from 'yaml'
import { TaskError, failure } from '../lib/errors.ts'
import { doing, done } from '../lib/output.ts'
import { inRepository } from '../lib/repository.ts'
import { HELM_REPOSITORY, helm } from './charts.ts'

/** A chart at one version; `repository` is empty for an OCI chart, whose `chart` is a whole URL. */
export interface ChartPin { chart: string, version: string, repository: string }

interface Manifest {
  kind?: string
  metadata?: { name?: string }
  spec?: {
    url?: string
    ref?: { tag?: string }
    chart?: { spec?: { chart?: string, version?: string, sourceRef?: { name?: string } } }
  }
}

export const isUpstreamWanted = (): boolean => process.env.REHEARSAL_CHARTS === 'upstream'

/** @returns the charts that Flux manifests pin, each once. */
export function pinsOf(manifests: Manifest[]): ChartPin[] {
  const repositories = new Map(manifests.filter(item => item.kind === 'HelmRepository').map(item => [item.metadata?.name, item.spec?.url ?? '']))
  const pins = manifests.flatMap(({ kind, spec }): ChartPin[] => {
    if (kind === 'OCIRepository') return [{ chart: spec?.url ?? '', version: spec?.ref?.tag ?? '', repository: '' }]
    const chart = spec?.chart?.spec
    if (kind !== 'HelmRelease' || chart === undefined) return []
    return [{ chart: chart.chart ?? '', version: chart.version ?? '', repository: repositories.get(chart.sourceRef?.name) ?? '' }]
  })
  return [...new Map(pins.map(pin => [JSON.stringify(pin), pin])).values()]
}

/** @returns the pins in the home manifests. */
export async function upstreamPins(): Promise<ChartPin[]> {
  const manifests: Manifest[] = []
  for (const folder of ['infrastructure', 'platform-services']) {
    for (const entry of await readdir(inRepository(folder), { recursive: true })) {
      if (!entry.endsWith('.yaml')) continue
      const text = await readFile(inRepository(folder, entry), 'utf8')
      manifests.push(...parseAllDocuments(text).map(document => (document.toJS() ?? {}) as Manifest))
    }
  }
  return pinsOf(manifests)
}

/** @throws failure that names the chart which cannot be had, and the way without it */
export async function pullUpstreamCharts(programs: string, target: string): Promise<void> {
  for (const pin of await upstreamPins()) {
    doing(`fetching chart ${pin.chart} ${pin.version}`)
    const from = pin.repository === '' ? [] : ['--repo', pin.repository]
    try {
      await helm(programs, ['pull', pin.chart, ...from, '--version', pin.version, '--destination', target])
    } catch (error) {
      const why = error instanceof TaskError ? error.details.why : String(error)
      throw failure(`the upstream chart ${pin.chart} ${pin.version} cannot be fetched`, { where: pin.repository || pin.chart, why, fix: 'unset REHEARSAL_CHARTS, then: make rehearsal-up (uses the stand-in charts)' })
    }
  }
  await helm(programs, ['repo', 'index', target, '--url', HELM_REPOSITORY])
  done('the rehearsal uses the upstream charts')
}
