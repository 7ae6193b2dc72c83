/**
 * Proves that the cluster is what Git says, and changes nothing.
 * Usage: make verify [KUBE_CONTEXT=name] [JSON=1]
 */
import { printChecks, requireProof } from './lib/checks.ts'
import { checkDrift } from './lib/drift.ts'
import { loadEnvironment } from './lib/environment.ts'
import { headCommit } from './lib/git.ts'
import { inputsCheck, readSourceSecret, secretValues } from './lib/source-secret.ts'
import { attention, data, done, elapsed } from './lib/output.ts'
import { blockedLayers } from './lib/platform-tree.ts'
import { prove } from './lib/proof.ts'
import { platformOnly, readSnapshot } from './lib/snapshot.ts'
import { announce, connect, resolveTarget } from './lib/target.ts'
import { runTask } from './lib/task.ts'

await runTask(async () => {
  const started = Date.now()
  const environment = await loadEnvironment()
  const target = await resolveTarget(environment.kubeContext, { start: false })
  if (!environment.json) announce(target)
  const api = await connect(target)

  const [everything, secret] = await Promise.all([readSnapshot(api), readSourceSecret(api)])
  const snapshot = platformOnly(everything)
  const revision = snapshot.gitRepositories[0]?.status?.artifact?.revision
  const inputs = inputsCheck(secret)
  const blocked = blockedLayers(snapshot.kustomizations, inputs.missing)
  const [proved, compared] = await Promise.all([
    prove(api, snapshot, { goal: { revision, blocked }, authorityFolder: target.rehearsal?.authorityFolder }),
    checkDrift(api, snapshot, { kubectl: target.kubectl, secrets: secretValues(secret) }),
  ])
  const checks = [inputs.check, ...proved, ...compared]

  if (environment.json) data(JSON.stringify({ context: target.kubectl.context, revision: revision ?? null, ok: checks.every(check => check.ok), checks }, undefined, 2))
  else printChecks(checks)
  const head = await headCommit()
  if (revision !== undefined && !revision.endsWith(head)) attention(`HEAD is ${head.slice(0, 12)}, the cluster has ${revision}`)
  requireProof(checks, 'make flux-reconcile')
  const claim = checks.some(check => check.compared === 'none') ? 'everything that could be compared' : 'everything'
  done(`${claim} is what Git says · ${checks.length} checks · ${elapsed(Date.now() - started)}`)
})
