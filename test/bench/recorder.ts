/** Records every change of the platform's objects as a watch reports it: milliseconds, where conditions have whole seconds. */
import { setMaxListeners } from 'node:events'
import type { Api } from '../../tasks/lib/api.ts'
import { failure } from '../../tasks/lib/errors.ts'
import { inventoryOf, isAppliedAt } from '../../tasks/lib/flux-state.ts'
import { type KubeObject, isReady, refOf } from '../../tasks/lib/objects.ts'
import { judgeRelease } from '../../tasks/lib/release-state.ts'
import * as resources from '../../tasks/lib/resources.ts'
import { type CertificateObject, type HelmReleaseObject, type KustomizationObject, type Snapshot, followed } from '../../tasks/lib/snapshot.ts'
import { watch } from '../../tasks/lib/watch.ts'

export interface Sighting { at: number, object: KubeObject }

/** All sightings of each object that is there, in order, by `Kind/namespace/name`. */
export type History = Map<string, Sighting[]>

export interface Recorder {
  history: History
  /** @returns the moment, in ms, at which `unmet` first gave undefined. @throws when that takes longer than `patience` ms */
  until: (what: string, unmet: () => string | undefined, patience?: number) => Promise<number>
  stop: () => void
}

const recorded = [
  resources.Namespace, followed.gitRepositories, followed.ociRepositories, followed.helmRepositories, followed.helmCharts, followed.kustomizations, followed.releases,
  followed.issuers, followed.certificates, followed.certificateRequests, followed.deployments,
]
const PATIENCE_MS = 600_000

/** @param kinds what to follow; never pods or all Secrets: the bench shares two cores with what it measures */
export function startRecorder(api: Api, kinds: readonly resources.Resource[] = recorded): Recorder {
  const stopping = new AbortController()
  const history: History = new Map()
  const checks = new Set<() => void>()
  setMaxListeners(0, stopping.signal)
  for (const kind of kinds) {
    const watched = watch<KubeObject>(api, kind, {
      signal: stopping.signal,
      onChange: () => {
        const at = Date.now()
        const objects = [...watched.objects.values()].map(object => ({ ...object, kind: kind.kind }))
        for (const object of objects) note(history, { at, object })
        const known = new Set(objects.map(refOf))
        for (const ref of history.keys()) if (ref.startsWith(`${kind.kind}/`) && !known.has(ref)) history.delete(ref)
        for (const check of checks) check()
      },
    })
  }
  return { history, until: (what, unmet, patience = PATIENCE_MS) => waitFor(checks, { what, unmet, patience }), stop: () => stopping.abort() }
}

function note(history: History, sighting: Sighting): void {
  const seen = history.get(refOf(sighting.object)) ?? []
  if (seen.at(-1)?.object.metadata.resourceVersion === sighting.object.metadata.resourceVersion) return
  history.set(refOf(sighting.object), [...seen, sighting])
}

function waitFor(checks: Set<() => void>, { what, unmet, patience }: { what: string, unmet: () => string | undefined, patience: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      clearTimeout(timer)
      checks.delete(check)
      act()
    }
    const timer = setTimeout(() => end(() => reject(failure(`${what} did not come within ${patience / 1000} s`, { why: unmet() ?? '' }))), patience)
    const check = () => {
      if (unmet() === undefined) end(() => resolve(Date.now()))
    }
    checks.add(check)
    check()
  })
}

/** @returns the newest sighting of every object of a kind. */
export function newest<T extends KubeObject>(history: History, kind: string): T[] {
  return [...history].filter(([ref]) => ref.startsWith(`${kind}/`)).map(([, seen]) => seen.at(-1)?.object as T)
}

/** @returns a snapshot of what releases are judged by. */
function releaseSnapshot(history: History): Snapshot {
  return { ociRepositories: newest(history, 'OCIRepository'), helmCharts: newest(history, 'HelmChart') } as unknown as Snapshot
}

/** @returns what keeps the platform from being Ready at the revision, certificates apart; undefined when nothing does. */
export function notReady(history: History, revision: string): string | undefined {
  const layers = newest<KustomizationObject>(history, 'Kustomization')
  const root = layers.find(layer => layer.metadata.name === 'home')
  if (root === undefined || !isAppliedAt(root, revision)) return 'Kustomization/flux-system/home'
  const wanted = inventoryOf(root).filter(entry => entry.kind === 'Kustomization')
  const behind = wanted.find(entry => !layers.some(layer => layer.metadata.name === entry.name && isAppliedAt(layer, revision)))
  if (behind !== undefined) return `Kustomization/flux-system/${behind.name}`
  const releases = newest<HelmReleaseObject>(history, 'HelmRelease')
  const snapshot = releaseSnapshot(history)
  const names = layers.flatMap(inventoryOf).filter(entry => entry.kind === 'HelmRelease').map(entry => entry.name)
  const missing = names.find(name => !releases.some(release => release.metadata.name === name && judgeRelease(release, snapshot).state === 'ready'))
  return missing === undefined ? undefined : `HelmRelease/flux-system/${missing}`
}

/** @returns a certificate that is not issued by the issuer it names; undefined when all are. */
export function notIssued(history: History, wanted: (certificate: CertificateObject) => boolean = () => true): string | undefined {
  const inventories = newest<KustomizationObject>(history, 'Kustomization').flatMap(inventoryOf).filter(entry => entry.kind === 'Certificate')
  const certificates = newest<CertificateObject>(history, 'Certificate')
  if (inventories.length === 0) return 'no Certificate yet'
  const missing = inventories.find(entry => !certificates.some(one => one.metadata.name === entry.name && one.metadata.namespace === entry.namespace && isReady(one) && wanted(one)))
  return missing && `Certificate/${missing.namespace}/${missing.name}`
}
