/** Judges HelmReleases, and knows which chart each shall have. */
import { type Judgement, isCurrent, isUnrecoverable, judgeChartSource, judgeFailure, ready } from './flux-state.ts'
import { conditionOf, isReady } from './objects.ts'
import type { ChartSourceObject, HelmReleaseObject, Snapshot } from './snapshot.ts'

/** @returns the OCIRepository or HelmChart that a release takes its chart from. */
export function chartSourceOf(release: HelmReleaseObject, snapshot: Snapshot): ChartSourceObject | undefined {
  const ref = release.spec?.chartRef
  if (ref?.kind === 'OCIRepository') return snapshot.ociRepositories.find(source => source.metadata.name === ref.name)
  const name = ref?.name ?? release.status?.helmChart?.split('/')[1] ?? `${release.metadata.namespace}-${release.metadata.name}`
  return snapshot.helmCharts.find(source => source.metadata.name === name)
}

/** @returns the chart version that the manifests pin for a release. */
export function pinnedVersion(release: HelmReleaseObject, snapshot: Snapshot): string | undefined {
  return release.spec?.chart?.spec.version ?? chartSourceOf(release, snapshot)?.spec?.ref?.tag
}

const plainVersion = (version: string): string => version.replace(/^v/, '').split('+')[0] ?? ''

/** @returns true for the pinned version: an OCI tag may begin with a v, and helm-controller appends an OCI chart's digest as build metadata. */
export const isPinned = (version: string, pinned: string): boolean => plainVersion(version) === plainVersion(pinned)

/** Words of helm-controller 1.6. */
const chartWait = /latest generation of object has not been reconciled|^(HelmChart|OCIRepository) '[^']*' is not ready/

/** @returns the state of a release; a chart that cannot be had is its cause. */
export function judgeRelease(release: HelmReleaseObject, snapshot: Snapshot): Judgement {
  if (release.spec?.suspend === true) return { state: 'stuck', words: 'suspended: Flux does not reconcile it' }
  const source = chartSourceOf(release, snapshot)
  const asked = release.spec?.chart?.spec.version
  if (source?.kind === 'HelmChart' && asked !== undefined && (source.spec?.version ?? asked) !== asked) return { state: 'working', words: `waits for chart version ${asked}` }
  const chart = source === undefined ? undefined : judgeChartSource(source)
  if (source !== undefined && chart !== undefined && (chart.state === 'failed' || chart.state === 'stuck')) {
    return { state: chart.state, words: `${source.kind}/${source.metadata.name}: ${chart.words}` }
  }
  if (!isReady(release)) {
    // a chart's failure is told by the chart: once that is asked for anew, the release still quotes what it said before
    if (source !== undefined && chartWait.test(conditionOf(release, 'Ready')?.message ?? '')) return { state: 'working', words: 'waits for its chart' }
    if (conditionOf(release, 'Ready')?.reason === 'DependencyNotReady') return { state: 'waiting', words: conditionOf(release, 'Ready')?.message ?? '' }
    const released = conditionOf(release, 'Released')
    // a retry under way is still a release that failed
    if (released?.status === 'False' && conditionOf(release, 'Ready')?.status !== 'False' && isCurrent(release, 'Released')) {
      return { state: isUnrecoverable(released.message ?? '') ? 'stuck' : 'failed', words: released.message ?? '' }
    }
    return judgeFailure(release, 'not installed yet')
  }
  const version = release.status?.history?.[0]?.chartVersion
  const pinned = pinnedVersion(release, snapshot)
  if (pinned !== undefined && version !== undefined && !isPinned(version, pinned)) return { state: 'working', words: `has chart version ${version}, waits for ${pinned}` }
  return ready
}
