/** Proves who signed a certificate: the chain in its Secret must lead to the authority that its issuer names. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { rootCertificates } from 'node:tls'

const BEGIN = '-----BEGIN CERTIFICATE-----'

/** @returns the certificates of a PEM bundle, in its order. */
export function readChain(pem: string): X509Certificate[] {
  return pem.split(BEGIN).slice(1).map(block => new X509Certificate(BEGIN + block))
}

/** What an issuer's chains must end in. */
export interface Authority {
  /** Trusted roots; undefined where the authority publishes none that a machine trusts. */
  roots: X509Certificate[] | undefined
  /** Matches the subject of whoever signed the last certificate of the chain. */
  signer: RegExp
}

/**
 * Let's Encrypt's authorities: production chains end in a root that Node trusts, staging chains in one that calls itself "(STAGING)"
 * (https://letsencrypt.org/certificates/, https://letsencrypt.org/docs/staging-environment/).
 */
const letsEncrypt: Record<string, () => Authority> = {
  'letsencrypt-prod': () => ({ roots: rootCertificates.map(pem => new X509Certificate(pem)), signer: /^(?!.*\(STAGING\)).*(Internet Security Research Group|\bISRG\b)/s }),
  'letsencrypt-staging': () => ({ roots: undefined, signer: /\(STAGING\)/ }),
}

/**
 * @param issuer name of the ClusterIssuer
 * @param folder where the rehearsal keeps the roots of its ACME servers, one `<issuer>.pem` each; undefined means Let's Encrypt itself
 */
export async function authorityOf(issuer: string, folder: string | undefined): Promise<Authority | undefined> {
  if (!Object.hasOwn(letsEncrypt, issuer)) return undefined
  if (folder === undefined) return letsEncrypt[issuer]?.()
  return { roots: readChain(await readFile(path.join(folder, `${issuer}.pem`), 'utf8')), signer: /./ }
}

/** @returns why a chain is not signed by an authority, or undefined when it is. */
export function chainFault(chain: X509Certificate[], authority: Authority): string | undefined {
  const last = chain.at(-1)
  if (last === undefined) return 'the Secret holds no certificate'
  const broken = chain.findIndex((certificate, index) => {
    const parent = chain[index + 1]
    return parent !== undefined && !(certificate.checkIssued(parent) && certificate.verify(parent.publicKey))
  })
  if (broken >= 0) return `certificate ${broken + 1} of the chain is not signed by the next one`
  if (!authority.signer.test(last.issuer)) return `signed by ${oneLine(last.issuer)}`
  if (authority.roots === undefined) return undefined
  const trusted = authority.roots.some(root => root.fingerprint256 === last.fingerprint256 || (last.checkIssued(root) && last.verify(root.publicKey)))
  return trusted ? undefined : `signed by ${oneLine(last.issuer)}, which is not the authority's root`
}

const oneLine = (name: string): string => name.split('\n').join(', ')

/** @returns names among `wanted` that a certificate does not hold. */
export function missingNames(certificate: X509Certificate, wanted: string[]): string[] {
  return wanted.filter(name => certificate.checkHost(name) === undefined)
}
