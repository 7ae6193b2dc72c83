/** The common end of install and reconcile: follow the platform to its goal, then prove it from the cluster anew. */
import type { Api } from './api.ts'
import { printChecks, requireProof } from './checks.ts'
import { type ConvergeOptions, type Converged, converge } from './converge.ts'
import { failure } from './errors.ts'
import type { InputPlan } from './input-plan.ts'
import { blockedLayers } from './platform-tree.ts'
import { prove } from './proof.ts'
import { platformOnly, readSnapshot } from './snapshot.ts'
import type { Target } from './target.ts'

/**
 * @param options.missing runtime inputs without a value
 * @throws failure when the platform does not get there, when the proof does not hold, and, at the very end, when inputs are missing
 */
export async function settle(api: Api, target: Target, options: Omit<ConvergeOptions, 'missingInputs'> & Pick<InputPlan, 'missing'>): Promise<Converged> {
  const missingInputs = options.missing.map(({ key }) => key)
  const converged = await converge(api, { ...options, missingInputs })
  const snapshot = platformOnly(await readSnapshot(api))
  const blocked = blockedLayers(snapshot.kustomizations, missingInputs)
  const checks = await prove(api, snapshot, { goal: { revision: converged.revision, blocked }, authorityFolder: target.rehearsal?.authorityFolder })
  printChecks(checks)
  const blockedSubjects = [...blocked.keys()].map(layer => `Kustomization/flux-system/${layer}`)
  requireProof(checks.filter(check => !blockedSubjects.includes(check.subject)), 'make verify')
  if (missingInputs.length === 0) return converged
  throw failure(`all is Ready but for what needs ${missingInputs.join(', ')}`, {
    where: blockedSubjects.join(', '),
    why: options.missing.map(({ key, whereToGet }) => `${key}: ${whereToGet}`).join('\n'),
    fix: 'cp -n .env.example .env, fill them in, then: make secrets-sync && make flux-reconcile',
  })
}
