/**
 * Has helm-controller put back what was changed by hand in a release. It looks at a release when its HelmRelease changes, when it is asked to, or
 * after its interval; with driftDetection.mode enabled it then makes the release's objects again what its manifest says.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Api } from './api.ts'
import { makeResourceFinder } from './apply.ts'
import { poke } from './begin.ts'
import { checkReleases } from './drift.ts'
import { failure } from './errors.ts'
import { refOf } from './objects.ts'
import { attention, doing, done } from './output.ts'
import type { Check } from './proof.ts'
import { HelmRelease } from './resources.ts'
import { type HelmReleaseObject, readReleases } from './snapshot.ts'

const POLL_MS = 500
const AGAIN_MS = 15_000

const wordsOf = (faults: Check[]): string => faults.map(({ subject, words }) => `${subject}: ${words}`).join('\n')

/** @returns releases whose objects are not what their manifests say; in the middle of an upgrade that may be passing. */
export async function driftedReleases(api: Api, secrets: readonly string[]): Promise<{ release: HelmReleaseObject, faults: Check[] }[]> {
  const comparison = { find: makeResourceFinder(api), secrets }
  const all = await Promise.all((await readReleases(api)).map(async release => ({ release, faults: (await checkReleases(api, [release], comparison)).filter(({ ok }) => !ok) })))
  return all.filter(({ faults }) => faults.length > 0)
}

/**
 * @param options.secrets values that no output may hold; options.deadline milliseconds
 * @throws failure when a release stays otherwise than its manifest
 */
export async function correctReleases(api: Api, options: { secrets: readonly string[], deadline: number }): Promise<void> {
  const end = performance.now() + options.deadline
  let asked = -Infinity
  let found = await driftedReleases(api, options.secrets)
  for (const { release, faults } of found) {
    attention(wordsOf(faults))
    doing(`asking helm-controller to correct ${refOf(release)}`)
  }
  const first = found
  while (found.length > 0) {
    const faults = found.flatMap(one => one.faults)
    const undetected = found.filter(({ release }) => release.spec?.driftDetection?.mode !== 'enabled').map(({ release }) => refOf(release))
    if (undetected.length > 0) throw failure('Flux does not correct what was changed by hand', { where: undetected.join(', '), why: `driftDetection.mode is not enabled\n${wordsOf(faults)}`, fix: 'set it in infrastructure/helmrelease-defaults/helmrelease.yaml, commit, push, then: make flux-reconcile' })
    if (performance.now() > end) throw failure('helm-controller has not corrected what was changed by hand', { where: found.map(({ release }) => refOf(release)).join(', '), why: wordsOf(faults), fix: 'kubectl get events -n flux-system --field-selector reason=DriftCorrectionFailed' })
    if (performance.now() - asked > AGAIN_MS) {
      await Promise.all(found.map(({ release }) => poke(api, HelmRelease, release.metadata.name)))
      asked = performance.now()
    }
    await pause(POLL_MS)
    found = await driftedReleases(api, options.secrets)
  }
  for (const { release } of first) done(`${refOf(release)} is what its chart says again`)
}
