/** The two modes that live in Git, what each may be, and how a task switches one: one scalar, one line, no commit. */
import { refusal } from './errors.ts'
import { isFlagSet } from './flags.ts'
import { editScalar } from './manifest-edit.ts'
import type { ScalarTarget } from './manifest-edit.ts'
import { readManifest, replaceManifest } from './manifest-file.ts'
import { data, done, next } from './output.ts'
import { repositoryRoot } from './repository.ts'
import { oneLineDiff } from './unified-diff.ts'

/** One switch: where its value stands, and what each of the task's arguments sets it to. */
export interface Mode {
  target: Omit<ScalarTarget, 'allowed'>
  /** Value in the manifest by the task's argument. */
  values: Readonly<Record<string, string>>
  /** Make target without its last part, the argument. */
  makeTarget: string
  /** Commit that keeps the switch, without the value's name. */
  commit: string
}

/** Issuer of all shared platform certificates. */
export const platformCerts: Mode = {
  target: { file: 'clusters/home/platform-settings.yaml', apiVersion: 'v1', kind: 'ConfigMap', name: 'platform-settings', path: ['data', 'CERT_ISSUER'] },
  values: { staging: 'letsencrypt-staging', prod: 'letsencrypt-prod' },
  makeTarget: 'platform-certs-',
  commit: 'feat(certs): platform certificates from',
}

const overlays = ['staging-le-staging', 'staging-le-prod', 'prod-le-staging', 'prod-le-prod']

/** Overlay of the example app: its environment and its certificate issuer. */
export const appTest: Mode = {
  target: { file: 'clusters/home/app-example.yaml', apiVersion: 'kustomize.toolkit.fluxcd.io/', kind: 'Kustomization', name: 'app-example', path: ['spec', 'path'] },
  values: Object.fromEntries(overlays.map(overlay => [overlay, `./tenants/apps/example/overlays/${overlay}`])),
  makeTarget: 'app-test-',
  commit: 'feat(app-example): switch to',
}

/**
 * Sets a mode in the working tree, or with DRY_RUN=1 only prints the diff.
 * @param args the task's own arguments: exactly one key of `mode.values`.
 * @throws TaskError (exit 2) for an unknown argument and for a manifest that is not as expected.
 */
export function switchMode(mode: Mode, args: readonly string[]): void {
  const value = chooseValue(mode, args)
  const { file } = mode.target
  const before = readManifest(file)
  const { text: after, current } = editScalar(before, { ...mode.target, allowed: Object.values(mode.values) }, value)
  if (current === value) return done(`already ${nameOf(value)}`)

  const dryRun = isFlagSet(process.env, 'DRY_RUN')
  if (!dryRun) replaceManifest(file, { before, after })
  data(oneLineDiff(before, after, { file }))
  if (dryRun) return done(`dry run, ${file} is untouched`)
  done(`${mode.target.path.join('.')} ${nameOf(current)} → ${nameOf(value)}`)
  next(`${enterRepository()}git commit -m "${mode.commit} ${nameOf(value)}" -- ${file} && git push && make flux-reconcile`)
}

function chooseValue(mode: Mode, args: readonly string[]): string {
  const value = args.length === 1 ? Object.entries(mode.values).find(([name]) => name === args[0])?.[1] : undefined
  if (value !== undefined) return value
  const names = Object.keys(mode.values)
  throw refusal(args.length === 0 ? 'no mode was given' : `unknown mode: ${args.join(' ')}`, {
    why: `expected one of: ${names.join(', ')}`,
    fix: names.map(name => `make ${mode.makeTarget}${name}`).join('\n'),
  })
}

/** @returns the last part of a path, or the value itself. */
const nameOf = (value: string): string => value.slice(value.lastIndexOf('/') + 1)

/** @returns what leads a shell to the checkout; empty where the task was started in it. */
const enterRepository = (): string => (process.cwd() === repositoryRoot ? '' : `cd ${repositoryRoot} && `)
