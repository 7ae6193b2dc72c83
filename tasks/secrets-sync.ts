/**
 * Writes the runtime inputs of .env into the cluster's source Secret; keeps what is there and not in .env, makes generated keys once.
 * Usage: make secrets-sync [KUBE_CONTEXT=name] [DRY_RUN=1]
 */
import { applyAll } from './lib/apply.ts'
import { loadEnvironment } from './lib/environment.ts'
import { failure } from './lib/errors.ts'
import { planInputs } from './lib/input-plan.ts'
import { countStates, describePlan, refuseInvalid, refuseInvalidGiven, renderSecret, sourceSecret } from './lib/input-report.ts'
import { attention, data, doing, done, next } from './lib/output.ts'
import { Namespace } from './lib/resources.ts'
import { get } from './lib/api.ts'
import { readSourceSecret } from './lib/source-secret.ts'
import { announce, connect, resolveTarget } from './lib/target.ts'
import { runTask } from './lib/task.ts'

await runTask(async () => {
  const environment = await loadEnvironment()
  refuseInvalidGiven(environment.given)
  const target = await resolveTarget(environment.kubeContext, { start: false })
  announce(target)
  const api = await connect(target)
  const existing = await readSourceSecret(api)
  const plan = planInputs({ given: environment.given, existing, rehearsal: !target.named })
  refuseInvalid(plan)

  if (environment.dryRun) {
    data(describePlan(plan, { written: false }).join('\n'))
    return done(plan.changed ? 'dry run: nothing was written' : 'dry run: there is nothing to write')
  }
  if (await get(api, Namespace, { name: sourceSecret.namespace }) === undefined) {
    throw failure('the platform is not installed', { where: `Namespace/${sourceSecret.namespace}`, why: 'the Secret lives beside Flux', fix: 'make install (it syncs the secrets too)' })
  }

  if (plan.changed) {
    doing(`Secret/${sourceSecret.namespace}/${sourceSecret.name}`)
    await applyAll(api, [renderSecret(plan.data)])
    done(`runtime inputs: ${countStates(plan)}`)
    if (plan.rolls.length > 0) done(`Flux rolls the pods of ${plan.rolls.join(', ')}`)
  } else done('already in sync')
  if (plan.missing.length === 0) return next('make flux-reconcile')
  for (const { key, whereToGet } of plan.missing) attention(`${key} is missing: ${whereToGet}`)
  throw failure(`${plan.missing.length} runtime inputs are missing`, {
    where: `Secret/${sourceSecret.namespace}/${sourceSecret.name}`, why: plan.missing.map(({ key, whereToGet }) => `${key}: ${whereToGet}`).join('\n'), fix: 'fill them in in .env, then: make secrets-sync',
  })
})
