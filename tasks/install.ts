/**
 * Installs or updates the whole platform and proves it. Safe to run again at any time.
 * Usage: make install [KUBE_CONTEXT=name] [DRY_RUN=1] [TIMEOUT=seconds]
 */
import { applyAll } from './lib/apply.ts'
import { chooseCommit, publish, revisionOf } from './lib/commit.ts'
import { loadEnvironment } from './lib/environment.ts'
import { fluxObjects, fluxVersion, requireRoom } from './lib/flux-install.ts'
import { headCommit } from './lib/git.ts'
import { planInputs } from './lib/input-plan.ts'
import { countStates, describePlan, refuseInvalid, refuseInvalidGiven, renderSecret } from './lib/input-report.ts'
import { forgetKept, keptInputs, keptObjects } from './lib/kept-data.ts'
import { neighboursToRecord } from './lib/neighbours.ts'
import { refOf } from './lib/objects.ts'
import { attention, data, doing, done, elapsed, next } from './lib/output.ts'
import { readPlatformSettings } from './lib/settings.ts'
import { settle } from './lib/settle.ts'
import { readSourceSecret } from './lib/source-secret.ts'
import { announce, connect, resolveTarget } from './lib/target.ts'
import { runTask } from './lib/task.ts'
import { readInstance } from './rehearsal/instance.ts'

await runTask(async () => {
  const started = Date.now()
  const environment = await loadEnvironment()
  refuseInvalidGiven(environment.given)
  const settings = await readPlatformSettings()
  await headCommit()

  if (environment.dryRun && environment.kubeContext === '' && await readInstance() === undefined) {
    data(['start the rehearsal cluster', 'apply clusters/rehearsal/flux-system', ...describePlan(planInputs({ given: environment.given, existing: undefined, rehearsal: true }), { written: false })].join('\n'))
    return done('dry run: nothing was started')
  }

  const target = await resolveTarget(environment.kubeContext, { start: true })
  announce(target)
  const commit = await chooseCommit(target, settings)
  const revision = revisionOf(settings.gitBranch, commit)
  const api = await connect(target)
  const [version, objects, synced, kept, neighbours] = await Promise.all([fluxVersion(target), fluxObjects(target), readSourceSecret(api), keptObjects(api), neighboursToRecord(api), requireRoom(api)])
  const existing = synced ?? keptInputs(kept)
  const inputs = planInputs({ given: environment.given, existing, rehearsal: !target.named })
  refuseInvalid(inputs)

  if (environment.dryRun) {
    data([`revision ${revision}`, ...objects.map(object => `apply ${refOf(object)}`), ...describePlan(inputs, { written: false })].join('\n'))
    return done('dry run: nothing was changed')
  }

  await publish(target, settings, commit)
  doing(`Flux ${version} and the runtime inputs`)
  const applied = await applyAll(api, [...kept, ...neighbours, ...objects, renderSecret(inputs.data)])
  if (kept.length > 0) {
    await forgetKept(api)
    done('certificates and passwords that the last teardown kept stand again')
  }
  done(applied.changed === 0 ? `Flux ${version} already there` : `Flux ${version} · ${applied.changed} of ${applied.total} objects changed`)
  done(inputs.changed ? `runtime inputs: ${countStates(inputs)}` : 'runtime inputs already there')
  for (const { key, whereToGet } of inputs.missing) attention(`${key} is missing: ${whereToGet}`)

  const { waited } = await settle(api, target, { revision, missing: inputs.missing, force: false, deadline: environment.timeout })
  done(`${waited || applied.changed > 0 ? 'installed' : 'everything is already there'} at ${commit.slice(0, 12)} · ${elapsed(Date.now() - started)}`)
  next(target.named ? 'make verify' : 'eval "$(make -s rehearsal-env)" && kubectl get kustomizations,helmreleases -A')
})
