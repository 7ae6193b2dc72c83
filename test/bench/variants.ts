/** The chains that ours is measured against, written into the bench's clone and committed on branches of their own. */
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { applyAll, parseManifests } from '../../tasks/lib/apply.ts'
import { planInputs } from '../../tasks/lib/input-plan.ts'
import { renderSecret } from '../../tasks/lib/input-report.ts'
import type { KubeObject } from '../../tasks/lib/objects.ts'
import { type Lab, commitAll, edit, git } from '../e2e/support.ts'
import { type Cluster, benchKubectl, push } from './lab.ts'

const SYNC = 'clusters/home/flux-system/sync'

async function write(lab: Lab, file: string, content: object): Promise<void> {
  const target = path.join(lab.folder, file)
  await mkdir(path.dirname(target), { recursive: true })
  await writeFile(target, stringify(content))
}

/** Flux's own arguments, but for events: nobody would receive them here, and sending would hold the controllers up. */
async function stockArguments(lab: Lab): Promise<void> {
  for (const controller of ['source', 'kustomize', 'helm']) {
    await write(lab, `${SYNC}/${controller}-controller-args.yaml`, [{ op: 'add', path: '/spec/template/spec/containers/0/args/-', value: '--events-addr=' }])
  }
}

/** Our manifests on stock Flux. */
export async function makeStock(lab: Lab): Promise<void> {
  await git(lab, 'checkout', '-q', '-B', 'stock', 'main')
  await stockArguments(lab)
  await commitAll(lab, 'bench: stock Flux arguments')
}

interface Step { name: string, resources: string[], patches?: unknown[], substitute?: boolean, defaults?: boolean }

async function manifests(lab: Lab, folder: string, wanted: (file: string) => boolean): Promise<string[]> {
  const files = await readdir(path.join(lab.folder, folder), { recursive: true })
  return files.filter(file => file.endsWith('.yaml') && path.basename(file) !== 'kustomization.yaml' && wanted(path.basename(file))).sort().map(file => path.join(folder, file))
}

const isSource = (file: string): boolean => /^(oci|helm)repository/.test(file)

async function rehearsalPatches(lab: Lab, layer: string): Promise<unknown[]> {
  const overlay = parse(await readFile(path.join(lab.folder, 'clusters', 'rehearsal', `${layer}.yaml`), 'utf8')) as { spec: { patches: unknown[] } }
  return overlay.spec.patches
}

async function referenceSteps(lab: Lab): Promise<Step[]> {
  const [controllers, issuers, services] = await Promise.all(['infrastructure-controllers', 'infrastructure-issuers', 'platform-services'].map(layer => rehearsalPatches(lab, layer)))
  const folders = ['infrastructure/controllers', 'platform-services']
  const sources = (await Promise.all(folders.map(folder => manifests(lab, folder, isSource)))).flat()
  // the definitions were applied by hand: Helm would not take them over
  const noCrds = { target: { kind: 'HelmRelease', name: 'cert-manager' }, patch: '- {op: replace, path: /spec/values/crds/enabled, value: false}' }
  return [
    { name: 'sources', resources: sources, patches: [...controllers ?? [], ...services ?? []] },
    { name: 'stack', resources: ['clusters/home/platform-settings.yaml', 'infrastructure/namespaces'] },
    { name: 'infrastructure', resources: [...await manifests(lab, 'infrastructure/controllers', file => !isSource(file)), 'infrastructure/issuers'], patches: [...issuers ?? [], noCrds], substitute: true, defaults: true },
    { name: 'platform', resources: await manifests(lab, 'platform-services', file => !isSource(file)), substitute: true, defaults: true },
    { name: 'tenants', resources: ['tenants/environments'] },
    { name: 'app', resources: ['tenants/apps/example/overlays/staging-le-staging'], substitute: true },
  ]
}

function fluxKustomization(step: Step, previous: Step | undefined): KubeObject {
  return {
    apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization', metadata: { name: step.name, namespace: 'flux-system' },
    spec: {
      ...previous ? { dependsOn: [{ name: previous.name }] } : {}, interval: '10m', path: `./reference/${step.name}`, prune: true, retryInterval: '30s',
      sourceRef: { kind: 'GitRepository', name: 'home' }, timeout: '10m', wait: true, ...step.patches ? { patches: step.patches } : {},
      ...step.substitute === true ? { postBuild: { substitute: { quote: '"' }, substituteFrom: [{ kind: 'ConfigMap', name: 'platform-settings' }, { kind: 'Secret', name: 'platform-runtime-inputs' }] } } : {},
    },
  }
}

/** One line of six steps, each waiting for the whole of the one before: sources → stack → infrastructure → platform → tenants → app. */
export async function makeReference(lab: Lab): Promise<void> {
  await git(lab, 'checkout', '-q', '-B', 'reference', 'main')
  await stockArguments(lab)
  const steps = await referenceSteps(lab)
  const overlay = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization' }
  for (const [index, step] of steps.entries()) {
    const components = step.defaults === true ? { components: ['../../infrastructure/helmrelease-defaults'] } : {}
    await write(lab, `reference/${step.name}/kustomization.yaml`, { ...overlay, resources: step.resources.map(file => `../../${file}`), ...components })
    await write(lab, `reference/chain/${step.name}.yaml`, fluxKustomization(step, steps[index - 1]))
  }
  await write(lab, 'reference/chain/kustomization.yaml', { ...overlay, resources: steps.map(step => `${step.name}.yaml`) })
  await edit(lab, 'clusters/rehearsal/flux-system/kustomization.yaml', './clusters/rehearsal', './reference/chain')
  await edit(lab, '.sourceignore', '!/tenants/\n', '!/tenants/\n!/reference/\n')
  await commitAll(lab, 'bench: the reference chain')
}

/** Applies cert-manager's definitions as somebody would by hand. */
export async function applyDefinitions({ api, instance }: Cluster): Promise<void> {
  const folder = path.join(instance.programs, 'data', 'cert-manager-crds')
  const texts = await Promise.all((await readdir(folder)).map(file => readFile(path.join(folder, file), 'utf8')))
  await applyAll(api, texts.flatMap(parseManifests))
}

/** Pushes HEAD and applies Flux, source and root with the runtime inputs, then leaves everything to Flux. */
export async function applyFlux(lab: Lab, cluster: Cluster): Promise<void> {
  await push(lab, cluster)
  const text = await benchKubectl(lab, cluster, ['kustomize', '--load-restrictor', 'LoadRestrictionsNone', 'clusters/rehearsal/flux-system'])
  const inputs = planInputs({ given: {}, existing: undefined, rehearsal: true })
  await applyAll(cluster.api, [...parseManifests(text), renderSecret(inputs.data)])
}
