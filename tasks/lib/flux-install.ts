/** The first step of an install: Flux itself, its source and its root, from clusters/<scope>/flux-system. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { type Api, get } from './api.ts'
import { isOurs, parseManifests } from './apply.ts'
import { failure, refusal } from './errors.ts'
import { buildOverlay } from './kubectl.ts'
import type { KubeObject } from './objects.ts'
import { FLUX_NAMESPACE } from './platform-tree.ts'
import { inRepository } from './repository.ts'
import { Deployment } from './resources.ts'
import type { Target } from './target.ts'

/** @returns the objects that install applies before Flux takes over. */
export async function fluxObjects(target: Target): Promise<KubeObject[]> {
  const folder = inRepository('clusters', target.scope, 'flux-system')
  const objects = parseManifests(await buildOverlay(target.kubectl, folder))
  for (const kind of ['GitRepository', 'Kustomization']) {
    if (!objects.some(object => object.kind === kind)) throw failure(`the Flux entrypoint has no ${kind}`, { where: `clusters/${target.scope}/flux-system` })
  }
  return objects
}

/** @returns the Flux version that clusters/<scope> pins, e.g. `v2.9.5`: part of the URL of its install.yaml. */
export async function fluxVersion(target: Target): Promise<string> {
  const file = path.join('clusters', target.scope, 'flux-system', 'kustomization.yaml')
  const version = /\/(v\d+\.\d+\.\d+)\/install\.yaml/.exec(await readFile(inRepository(file), 'utf8'))?.[1]
  if (version === undefined) throw failure('the Flux version is not pinned', { where: file, fix: 'name a release: …/v2.9.5/install.yaml' })
  return version
}

/** @throws refusal when the cluster has what an install would take from somebody else: a Flux of its own, or k3s's own Traefik */
export async function requireRoom(api: Api): Promise<void> {
  const [controller, traefik] = await Promise.all([
    get<KubeObject>(api, Deployment, { namespace: FLUX_NAMESPACE, name: 'kustomize-controller' }),
    get<KubeObject>(api, Deployment, { namespace: 'kube-system', name: 'traefik' }),
  ])
  if (controller !== undefined && !isOurs(controller)) {
    throw refusal('the cluster already has a Flux that is not from this repository', { where: 'Deployment/flux-system/kustomize-controller', fix: 'flux uninstall, or choose another KUBE_CONTEXT' })
  }
  if (traefik !== undefined) {
    throw refusal('the cluster already has the Traefik that k3s brings', {
      where: 'Deployment/kube-system/traefik', why: 'it holds ports 80 and 443 and the IngressClass traefik',
      fix: 'add "disable: [traefik]" to /etc/rancher/k3s/config.yaml on the node, then: sudo systemctl restart k3s',
    })
  }
}
