/** Packages the rehearsal's stand-in charts. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { failure } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'

/** The URL under which index.yaml names the archives. */
export const HELM_REPOSITORY = 'http://charts.rehearsal.internal/helm'

const KEEP = 'rehearsal/keep'

/** Runs the built helm with state of its own. @throws failure with helm's words */
export function helm(programs: string, args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(path.join(programs, 'helm'), args, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(failure('helm failed', { where: `helm ${args.join(' ')}`, why: stderr.trim() || error.message }))
    })
  })
}

/**
 * @param crds texts of CRDs
 * @returns a chart template that holds them as cert-manager's own chart does: only with `crds.enabled`, kept on uninstall unless `crds.keep` is false
 */
export function crdTemplate(crds: string[]): string {
  const keep = `    {{- if ne (toString (.Values.crds).keep) "false" }}\n    helm.sh/resource-policy: keep\n    {{- end }}`
  const documents = crds.map(text => {
    const crd = parse(text) as KubeObject
    crd.metadata.annotations = { ...crd.metadata.annotations, [KEEP]: 'true' }
    const escaped = stringify(crd, { lineWidth: 0 }).replaceAll('{{', '{{ "{{" }}')
    return escaped.replace(new RegExp(`^ {4}${KEEP}: .*$`, 'm'), keep)
  })
  return `{{- if (.Values.crds).enabled }}\n${documents.join('---\n')}{{- end }}\n`
}

async function addRealCrds(programs: string, chart: string): Promise<void> {
  const folder = path.join(programs, 'data', 'cert-manager-crds')
  const texts = await Promise.all((await readdir(folder)).sort().map(file => readFile(path.join(folder, file), 'utf8')))
  await mkdir(path.join(chart, 'templates'), { recursive: true })
  await writeFile(path.join(chart, 'templates', 'crds.yaml'), crdTemplate(texts))
}

/** Packages every chart below `sources` into `target`, with an index.yaml. */
export async function packageCharts(programs: string, sources: string, target: string): Promise<void> {
  const work = await mkdtemp(path.join(tmpdir(), 'homelab-charts-'))
  try {
    if (existsSync(sources)) await cp(sources, work, { recursive: true })
    const names = (await readdir(work)).filter(name => existsSync(path.join(work, name, 'Chart.yaml')))
    if (names.includes('cert-manager')) await addRealCrds(programs, path.join(work, 'cert-manager'))
    for (const name of names) await helm(programs, ['package', path.join(work, name), '--destination', target])
    await helm(programs, ['repo', 'index', target, '--url', HELM_REPOSITORY])
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
