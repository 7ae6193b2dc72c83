/** The proof that the platform is what Git says: read from the cluster anew, nothing assumed. */
import { X509Certificate } from 'node:crypto'
import { type Api, get } from './api.ts'
import { authorityOf, chainFault, missingNames, readChain } from './authorities.ts'
import { certificateFinding, deepestCause, describe, releasePods } from './causes.ts'
import { judgeChartSource, judgeGitRepository, judgeKustomization, shortRevision } from './flux-state.ts'
import { type KubeObject, conditionOf, isReady, refOf } from './objects.ts'
import { type Goal, inChainOrder } from './platform-tree.ts'
import { isPinned, judgeRelease, pinnedVersion } from './release-state.ts'
import { Secret } from './resources.ts'
import type { CertificateObject, HelmReleaseObject, KustomizationObject, Snapshot } from './snapshot.ts'

export interface Check {
  subject: string
  ok: boolean
  /** What was proved, or why not. */
  words: string
  /** For an object: compared with Git field by field, or only known to be there; `none` for the layer of the latter. */
  compared?: 'fields' | 'existence' | 'none'
}

const check = (object: KubeObject, fault: string | undefined, proved: string): Check => ({ subject: refOf(object), ok: fault === undefined, words: fault ?? proved })

function layerCheck(layer: KustomizationObject, snapshot: Snapshot, goal: Goal): Check {
  const judged = judgeKustomization(layer, goal.revision)
  if (judged.state === 'ready') return check(layer, undefined, shortRevision(layer.status?.lastAppliedRevision))
  const blocked = goal.blocked.get(layer.metadata.name)
  const cause = deepestCause(layer, snapshot)
  return check(layer, blocked ?? (cause ? `${judged.words} · ${describe(cause)}` : judged.words), '')
}

function releaseCheck(release: HelmReleaseObject, snapshot: Snapshot): Check {
  const judged = judgeRelease(release, snapshot)
  const [newest] = release.status?.history ?? []
  const pinned = pinnedVersion(release, snapshot)
  if (judged.state !== 'ready') return check(release, [judged.words, ...releasePods(release, snapshot).map(describe)].join(' · '), '')
  if (pinned === undefined) return check(release, 'its chart has no pinned version', '')
  if (newest === undefined || !isPinned(newest.chartVersion, pinned) || newest.status !== 'deployed') return check(release, `has ${newest?.chartName ?? 'no chart'} ${newest?.chartVersion ?? ''} (${newest?.status ?? 'none'}), pinned is ${pinned}`, '')
  return check(release, undefined, `${newest.chartName} ${newest.chartVersion}`)
}

/** @param authorityFolder as for `authorityOf` */
async function certificateCheck(api: Api, certificate: CertificateObject, snapshot: Snapshot, authorityFolder: string | undefined): Promise<Check> {
  const finding = certificateFinding(certificate, snapshot)
  if (finding.state !== 'ready') return check(certificate, describe(finding), '')
  const { issuerRef, secretName, dnsNames = [] } = certificate.spec ?? { issuerRef: { name: '' }, secretName: '' }
  const secret = await get<KubeObject & { data?: Record<string, string> }>(api, Secret, { namespace: certificate.metadata.namespace ?? '', name: secretName })
  const pem = Buffer.from(secret?.data?.['tls.crt'] ?? '', 'base64').toString()
  const issuer = secret?.metadata.annotations?.['cert-manager.io/issuer-name']
  if (pem === '') return check(certificate, `Secret ${secretName} holds no certificate`, '')
  if (issuer !== issuerRef.name) return check(certificate, `still the certificate of ${issuer ?? 'another issuer'}, ${issuerRef.name} is asked for`, '')
  const authority = await authorityOf(issuerRef.name, authorityFolder)
  if (authority === undefined) return check(certificate, `no authority is known for the issuer ${issuerRef.name}`, '')
  const chain = readChain(pem)
  const lacking = chain[0] instanceof X509Certificate ? missingNames(chain[0], dnsNames) : dnsNames
  const fault = chainFault(chain, authority) ?? (lacking.length > 0 ? `lacks the names ${lacking.join(', ')}` : undefined)
  return check(certificate, fault, `${issuerRef.name} · ${dnsNames.join(', ')} · signed by ${chain.at(-1)?.issuer.split('\n').find(part => part.startsWith('CN='))?.slice(3) ?? 'its authority'}`)
}

/** @returns one check per object, in the order of the chain. */
export async function prove(api: Api, snapshot: Snapshot, options: { goal: Goal, authorityFolder: string | undefined }): Promise<Check[]> {
  const { goal, authorityFolder } = options
  const sources = snapshot.gitRepositories.map(source => {
    const judged = judgeGitRepository(source, goal.revision)
    return check(source, judged.state === 'ready' ? undefined : judged.words, shortRevision(source.status?.artifact?.revision))
  })
  const charts = [...snapshot.ociRepositories, ...snapshot.helmRepositories, ...snapshot.helmCharts].map(source => {
    const judged = judgeChartSource(source)
    return check(source, judged.state === 'ready' ? undefined : judged.words, source.status?.artifact?.revision ?? 'Ready')
  })
  const issuers = snapshot.issuers.map(issuer => check(issuer, isReady(issuer) ? undefined : conditionOf(issuer, 'Ready')?.message ?? 'not judged yet', 'registered with its ACME server'))
  return [
    ...(sources.length > 0 ? sources : [{ subject: 'GitRepository/flux-system/home', ok: false, words: 'is not there: the platform is not installed' }]),
    ...inChainOrder(snapshot.kustomizations).map(layer => layerCheck(layer, snapshot, goal)),
    ...charts,
    ...snapshot.releases.map(release => releaseCheck(release, snapshot)),
    ...issuers,
    ...await Promise.all(snapshot.certificates.map(certificate => certificateCheck(api, certificate, snapshot, authorityFolder))),
  ]
}
