/** Where the API server keeps the kinds that tasks name. Kinds outside this table are found by discovery. */

export interface Resource {
  kind: string
  /** `v1` or `group/version`. */
  apiVersion: string
  plural: string
  namespaced: boolean
}

const FLUX_SOURCE = 'source.toolkit.fluxcd.io/v1'
const CERT_MANAGER = 'cert-manager.io/v1'
const ACME = 'acme.cert-manager.io/v1'

function resource(kind: string, apiVersion: string, options: { plural?: string, namespaced?: boolean } = {}): Resource {
  return { kind, apiVersion, plural: options.plural ?? `${kind.toLowerCase()}s`, namespaced: options.namespaced ?? true }
}

export const GitRepository = resource('GitRepository', FLUX_SOURCE, { plural: 'gitrepositories' })
export const OCIRepository = resource('OCIRepository', FLUX_SOURCE, { plural: 'ocirepositories' })
export const HelmRepository = resource('HelmRepository', FLUX_SOURCE, { plural: 'helmrepositories' })
export const HelmChart = resource('HelmChart', FLUX_SOURCE)
export const Kustomization = resource('Kustomization', 'kustomize.toolkit.fluxcd.io/v1')
export const HelmRelease = resource('HelmRelease', 'helm.toolkit.fluxcd.io/v2')
export const ClusterIssuer = resource('ClusterIssuer', CERT_MANAGER, { namespaced: false })
export const Certificate = resource('Certificate', CERT_MANAGER)
export const CertificateRequest = resource('CertificateRequest', CERT_MANAGER)
export const Order = resource('Order', ACME)
export const Challenge = resource('Challenge', ACME)
export const Pod = resource('Pod', 'v1')
export const Secret = resource('Secret', 'v1')
export const ConfigMap = resource('ConfigMap', 'v1')
export const Namespace = resource('Namespace', 'v1', { namespaced: false })
export const Event = resource('Event', 'v1')
export const PersistentVolumeClaim = resource('PersistentVolumeClaim', 'v1')
export const Deployment = resource('Deployment', 'apps/v1')
export const CustomResourceDefinition = resource('CustomResourceDefinition', 'apiextensions.k8s.io/v1', { namespaced: false })

/** @returns the URL path of a resource, of its objects in a namespace, or of one object. */
export function pathOf(target: Resource, options: { namespace?: string | undefined, name?: string | undefined } = {}): string {
  const root = target.apiVersion.includes('/') ? `/apis/${target.apiVersion}` : `/api/${target.apiVersion}`
  const scope = target.namespaced && options.namespace !== undefined ? `/namespaces/${encodeURIComponent(options.namespace)}` : ''
  const name = options.name !== undefined ? `/${encodeURIComponent(options.name)}` : ''
  return `${root}${scope}/${target.plural}${name}`
}
