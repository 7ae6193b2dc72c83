/** Takes the custom resource definitions and simulation stages out of the Go modules that the programs are built from. */
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { failure } from '../lib/errors.ts'
import { go } from './go.ts'

const sources = {
  source: 'github.com/fluxcd/source-controller',
  kustomize: 'github.com/fluxcd/kustomize-controller',
  certManager: 'github.com/cert-manager/cert-manager',
  kwok: 'sigs.k8s.io/kwok',
}

/** A node that is Ready and keeps its lease; pods that run at once, Jobs that succeed at once, pods that end at once. */
const stages = [
  'node/fast/node-initialize', 'node/heartbeat-with-lease/node-heartbeat-with-lease', 'pod/fast/pod-ready', 'pod/fast/pod-complete', 'pod/fast/pod-delete',
]

async function moduleFolders(work: string): Promise<Record<string, string>> {
  const text = await go(['list', '-m', '-f', '{{.Path}}\t{{.Dir}}', ...Object.values(sources)], { work })
  return Object.fromEntries(text.trim().split('\n').map(line => line.split('\t')))
}

async function copyYaml(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  const files = (await readdir(from)).filter(file => file.endsWith('.yaml'))
  if (files.length === 0) throw failure('a Go module has no custom resource definitions', { where: from })
  for (const file of files) await copyFile(path.join(from, file), path.join(to, file))
}

/** Writes `data/` beside the binaries: flux-crds, cert-manager-crds, stages.yaml. */
export async function writeModuleData(work: string, output: string): Promise<void> {
  const folders = await moduleFolders(work)
  const folder = (module: string, ...parts: string[]) => path.join(folders[module] ?? '', ...parts)
  const data = path.join(output, 'data')
  await rm(data, { recursive: true, force: true })
  await copyYaml(folder(sources.source, 'config/crd/bases'), path.join(data, 'flux-crds'))
  await copyYaml(folder(sources.kustomize, 'config/crd/bases'), path.join(data, 'flux-crds'))
  await copyYaml(folder(sources.certManager, 'deploy/crds'), path.join(data, 'cert-manager-crds'))
  // helm-controller's module has the types only
  await go(['tool', 'controller-gen', 'crd', 'paths=github.com/fluxcd/helm-controller/api/v2', `output:crd:dir=${path.join(data, 'flux-crds')}`], { work })
  const texts = await Promise.all(stages.map(stage => readFile(folder(sources.kwok, 'kustomize/stage', `${stage}.yaml`), 'utf8')))
  await writeFile(path.join(data, 'stages.yaml'), texts.join('---\n'))
}
