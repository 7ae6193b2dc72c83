/** One run on the cluster: everything that a life of the platform is made of, each step measured from outside. */
import { setTimeout as pause } from 'node:timers/promises'
import { isRolledOut } from '../../tasks/lib/flux-state.ts'
import { type KubeObject, isReady } from '../../tasks/lib/objects.ts'
import { doing } from '../../tasks/lib/output.ts'
import { Secret } from '../../tasks/lib/resources.ts'
import type { CertificateObject, DeploymentObject } from '../../tasks/lib/snapshot.ts'
import { type Lab, commitAll, git } from '../e2e/support.ts'
import { type Bound, boundOf } from './bound.ts'
import { type Cluster, headRevision, issued, ready, seenSince, startCluster, stopCluster, timed } from './lab.ts'
import { newest, notIssued, startRecorder } from './recorder.ts'
import { applyDefinitions, applyFlux, makeReference, makeStock } from './variants.ts'

export interface Measured {
  values: Record<string, number>
  paths?: Record<string, Bound['path']>
}

const seconds = (from: number, to: number): number => (to - from) / 1000
const flux = 'Namespace/flux-system'

/** From the first object of Flux in an empty cluster to everything Ready. */
async function convergence(cluster: Cluster, options: { name: string, revision: string, begun: number }): Promise<Measured> {
  const { name, revision, begun } = options
  const begin = await seenSince(cluster, flux, begun)
  const atReady = await ready(cluster, revision)
  const bound = boundOf(cluster.recorder.history, { revision, begin })
  const atIssued = await issued(cluster)
  return {
    values: { [`${name}.ready`]: seconds(begin, atReady), [`${name}.certificates`]: seconds(begin, Math.max(atReady, atIssued)), [`${name}.bound`]: bound.seconds },
    paths: { [name]: bound.path },
  }
}

async function install(lab: Lab, cluster: Cluster): Promise<Measured> {
  doing('a  our chain, empty cluster to Ready')
  const following = convergence(cluster, { name: 'ours', revision: await headRevision(lab), begun: Date.now() })
  const [task, measured] = await Promise.all([timed(lab, 'install'), following])
  return { ...measured, values: { ...measured.values, 'ours.install': task } }
}

/** From a commit to everything Ready at it, by `make flux-reconcile`. */
async function reconcile(lab: Lab, cluster: Cluster, name: string): Promise<Measured> {
  const begin = Date.now()
  const revision = await headRevision(lab)
  const [task, atReady] = await Promise.all([timed(lab, 'flux-reconcile'), ready(cluster, revision)])
  const bound = boundOf(cluster.recorder.history, { revision, begin })
  return { values: { [`${name}.ready`]: seconds(begin, atReady), [`${name}.task`]: task, [`${name}.bound`]: bound.seconds }, paths: { [name]: bound.path } }
}

async function modeChange(lab: Lab, cluster: Cluster): Promise<Measured> {
  doing('b  one-line mode change')
  await timed(lab, 'app-test-prod-le-staging')
  await commitAll(lab, 'bench: app mode')
  const there = await reconcile(lab, cluster, 'mode')
  await git(lab, 'revert', '--no-edit', 'HEAD')
  await timed(lab, 'flux-reconcile')
  return there
}

async function noOp(lab: Lab, cluster: Cluster): Promise<Measured> {
  doing('c  no-op commit')
  await commitAll(lab, 'bench: nothing', { allowEmpty: true })
  return reconcile(lab, cluster, 'noop')
}

const ROTATED = 'oauth2-proxy/oauth2-proxy'
const sumOf = (object: KubeObject | undefined): string | undefined =>
  (object?.spec as { template?: { metadata?: { annotations?: Record<string, string> } } } | undefined)?.template?.metadata?.annotations?.['checksum/runtime-inputs']

async function rotation(lab: Lab, cluster: Cluster): Promise<Measured> {
  doing('d  secret rotation')
  const secrets = startRecorder(cluster.api, [Secret])
  try {
    await pause(1000)
    const begin = Date.now()
    const change = (ref: string) => secrets.until(ref, () => secrets.history.get(ref)?.some(({ at }) => at > begin) === true ? undefined : ref)
    const deployment = () => cluster.recorder.history.get(`Deployment/${ROTATED}`)?.at(-1)?.object as DeploymentObject | undefined
    const before = sumOf(deployment())
    const rolled = cluster.recorder.until('the pods of oauth2-proxy rolled', () => {
      const now = deployment()
      return now !== undefined && sumOf(now) !== before && isRolledOut(now) ? undefined : 'not rolled'
    })
    const [task, source, target, done] = await Promise.all([
      timed(lab, 'secrets-sync', { OAUTH2_PROXY_CLIENT_SECRET: `rotated-${begin}` }), change('Secret/flux-system/platform-runtime-inputs'), change(`Secret/${ROTATED}-runtime-inputs`), rolled,
    ])
    const asked = cluster.recorder.history.get(`Deployment/${ROTATED}`)?.find(({ at, object }) => at > begin && sumOf(object) !== before)?.at ?? done
    return { values: { 'rotation.task': task, 'rotation.target': seconds(source, target), 'rotation.rolled': seconds(source, done), 'rotation.rollout': seconds(asked, done) } }
  } finally {
    secrets.stop()
  }
}

async function certificates(lab: Lab, cluster: Cluster): Promise<Measured> {
  doing('i  all platform certificates from the other authority')
  await timed(lab, 'platform-certs-prod')
  await commitAll(lab, 'bench: platform certificates')
  const begin = Date.now()
  const isPlatform = (one: CertificateObject) => !one.metadata.namespace?.startsWith('apps-')
  const switched = cluster.recorder.until('platform certificates from letsencrypt-prod', () => notIssued(cluster.recorder.history, one => !isPlatform(one) || (one.spec?.issuerRef.name === 'letsencrypt-prod')))
  const changed = cluster.recorder.until('issuers changed', () => newest<CertificateObject>(cluster.recorder.history, 'Certificate').filter(isPlatform).every(one => one.spec?.issuerRef.name === 'letsencrypt-prod') ? undefined : 'not yet')
  const [measured, atChanged, atIssued] = await Promise.all([reconcile(lab, cluster, 'certificates'), changed, switched])
  return { values: { ...measured.values, 'certificates.issued': seconds(begin, Math.max(atIssued, atChanged)), 'certificates.cert-manager': slowestRequest(cluster, begin) } }
}

/** @returns the longest time from a CertificateRequest to its certificate, in seconds: ACME and cert-manager's own pauses. */
function slowestRequest(cluster: Cluster, since: number): number {
  const requests = [...cluster.recorder.history].filter(([ref, seen]) => ref.startsWith('CertificateRequest/') && (seen[0]?.at ?? 0) > since)
  return Math.max(0, ...requests.map(([, seen]) => seconds(seen[0]?.at ?? 0, seen.find(({ object }) => isReady(object))?.at ?? 0)))
}

async function teardown(lab: Lab): Promise<Measured> {
  doing('e  teardown')
  return { values: { teardown: await timed(lab, 'teardown') } }
}

async function other(lab: Lab, name: 'stock' | 'reference'): Promise<Measured> {
  doing(`a  ${name === 'stock' ? 'our manifests on stock Flux' : 'the reference chain'}, nobody poking`)
  const { cluster, seconds: warm } = await startCluster(lab)
  try {
    if (name === 'stock') await makeStock(lab)
    else await makeReference(lab)
    if (name === 'reference') await applyDefinitions(cluster)
    const begun = Date.now()
    await applyFlux(lab, cluster)
    const measured = await convergence(cluster, { name, revision: await headRevision(lab), begun })
    return { ...measured, values: { ...measured.values, [`${name}.start`]: warm } }
  } finally {
    await stopCluster(lab, cluster)
    await git(lab, 'checkout', '-q', '-f', 'main')
  }
}

/** The letters of the issue that this file measures. */
export const clusterParts = ['a', 'b', 'c', 'd', 'e', 'f', 'i'] as const

/** Measures one run, step after step in one cluster. @param only the letters that are wanted; an install comes first in any case */
export async function* clusterRun(lab: Lab, only: readonly string[]): AsyncGenerator<Measured> {
  const wants = (letter: string): boolean => only.includes(letter)
  const base = await git(lab, 'rev-parse', 'main')
  const { cluster, seconds: start } = await startCluster(lab)
  try {
    yield { values: { start } }
    yield await install(lab, cluster)
    if (wants('c')) yield await noOp(lab, cluster)
    if (wants('b')) yield await modeChange(lab, cluster)
    if (wants('d')) yield await rotation(lab, cluster)
    if (wants('i')) yield await certificates(lab, cluster)
    cluster.recorder.stop()
    if (wants('e')) yield await teardown(lab)
  } finally {
    await stopCluster(lab, cluster)
    await git(lab, 'reset', '-q', '--hard', base)
  }
  if (!wants('a')) return
  yield await other(lab, 'stock')
  yield await other(lab, 'reference')
}
