/**
 * Brings the pushed commit into the cluster now, and follows it to proof. Syncs .env first when it differs from the cluster's inputs.
 * Usage: make flux-reconcile [KUBE_CONTEXT=name] [DRY_RUN=1] [TIMEOUT=seconds]
 */
import { applyAll } from './lib/apply.ts'
import { chooseCommit, newestCommit, publish, revisionOf } from './lib/commit.ts'
import { correctReleases, driftedReleases } from './lib/correct.ts'
import { loadEnvironment } from './lib/environment.ts'
import { failure } from './lib/errors.ts'
import { shortRevision } from './lib/flux-state.ts'
import { planInputs } from './lib/input-plan.ts'
import { countStates, describePlan, refuseInvalid, refuseInvalidGiven, renderSecret } from './lib/input-report.ts'
import { attention, data, doing, done, elapsed, next } from './lib/output.ts'
import { readPlatformSettings } from './lib/settings.ts'
import { settle } from './lib/settle.ts'
import { isInstalled } from './lib/snapshot.ts'
import { readSourceSecret, secretValues } from './lib/source-secret.ts'
import { announce, connect, resolveTarget } from './lib/target.ts'
import { runTask } from './lib/task.ts'

await runTask(async () => {
  const started = Date.now()
  const environment = await loadEnvironment()
  refuseInvalidGiven(environment.given)
  const settings = await readPlatformSettings()
  const target = await resolveTarget(environment.kubeContext, { start: false })
  announce(target)
  const [commit, api] = await Promise.all([chooseCommit(target, settings), connect(target)])
  const revision = revisionOf(settings.gitBranch, commit)
  const [installed, existing] = await Promise.all([isInstalled(api), readSourceSecret(api)])
  if (!installed) throw failure('the platform is not installed', { where: `context ${target.kubectl.context}`, fix: 'make install' })
  const inputs = planInputs({ given: environment.given, existing, rehearsal: !target.named })
  refuseInvalid(inputs)

  if (environment.dryRun) {
    data([`revision ${revision}`, ...describePlan(inputs, { written: false })].join('\n'))
    return done('dry run: nothing was changed')
  }
  if (inputs.changed) {
    doing('runtime inputs differ from .env, syncing them first')
    await applyAll(api, [renderSecret(inputs.data)])
    done(`runtime inputs: ${countStates(inputs)}`)
  }
  await publish(target, settings, commit)
  doing(`reconciling ${shortRevision(revision)}`)
  const secrets = secretValues(inputs.data)
  const settled = settle(api, target, { revision, missing: inputs.missing, force: true, deadline: environment.timeout })
  const [reached, drifted] = await Promise.all([settled, driftedReleases(api, secrets)])
  if (drifted.length > 0) await correctReleases(api, { secrets, deadline: environment.timeout })
  const newest = await newestCommit(target, settings)
  done(`everything is at ${shortRevision(reached.revision)} · ${elapsed(Date.now() - started)}`)
  if (newest === undefined || reached.revision === revisionOf(settings.gitBranch, newest)) return
  attention(`somebody pushed meanwhile: ${newest.slice(0, 12)} is not in the cluster yet`)
  next('git pull --ff-only && make flux-reconcile')
})
