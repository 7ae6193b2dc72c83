/**
 * Removes everything the platform brought, in the order that leaves nothing hanging, and proves that it is gone.
 * Usage: make teardown [KUBE_CONTEXT=name] [DRY_RUN=1] [YES=1] [KEEP_DATA=1] [TIMEOUT=seconds per step]
 */
import { list } from './lib/api.ts'
import { confirmByName } from './lib/confirm.ts'
import { loadEnvironment } from './lib/environment.ts'
import { readNeighbours, takeInventory } from './lib/inventory.ts'
import { keepSecrets, secretsToKeep } from './lib/kept-data.ts'
import { attention, data, done, elapsed, next, say } from './lib/output.ts'
import { forgetRecord, readRecord, writeRecord } from './lib/record.ts'
import { waitGone } from './lib/removal.ts'
import { PersistentVolumeClaim } from './lib/resources.ts'
import { ROOT, platformOnly, readSnapshot } from './lib/snapshot.ts'
import { announce, connect, resolveTarget } from './lib/target.ts'
import { runTask } from './lib/task.ts'
import { prepare, removeFlux, removeLayers, removeShared, requireGone } from './lib/teardown.ts'
import { type ClaimObject, describeTeardown, planTeardown } from './lib/teardown-plan.ts'

await runTask(async () => {
  const started = Date.now()
  const environment = await loadEnvironment()
  const target = await resolveTarget(environment.kubeContext, { start: false })
  announce(target)
  const { context } = target.kubectl
  const api = await connect(target)

  const [everything, claims, neighbours, record] = await Promise.all([readSnapshot(api), list<ClaimObject>(api, PersistentVolumeClaim), readNeighbours(api), readRecord(context)])
  const snapshot = platformOnly(everything)
  const items = await takeInventory(api, snapshot)
  const known = [...items, ...record.filter(one => !items.some(item => item.kind === one.kind && item.name === one.name && item.namespace === one.namespace))]
  if (known.length === 0) return done(`already removed: nothing of the platform is in ${context}`)
  const others = neighbours ?? { namespaces: [], definitions: [] }
  const plan = planTeardown(snapshot, known, { root: ROOT, neighbours: others, claims: claims.items, keepData: environment.keepData })

  if (environment.dryRun) {
    data(describeTeardown(plan, snapshot).join('\n'))
    return done('dry run: nothing was removed')
  }
  for (const line of describeTeardown(plan, snapshot)) say(line)
  await confirmByName(context, { yes: environment.yes, command: 'make teardown' })
  await writeRecord(context, known)
  if (environment.keepData) done(`kept ${await keepSecrets(api, secretsToKeep(snapshot))} Secrets in the namespace homelab-kept`)

  const deadline = environment.timeout
  await prepare(api, snapshot, { root: ROOT, neighbours: known.filter(item => item.kind === 'Namespace' && others.namespaces.includes(item.name)).map(item => item.name) })
  await removeLayers(api, plan, deadline)
  const inUse = await removeShared(api, plan, deadline)
  await removeFlux(api, plan, { root: ROOT, deadline })
  requireGone(await waitGone(api, plan.proof.filter(item => !inUse.includes(item.name)), { deadline, title: `proof: ${plan.proof.length} objects gone` }), 'the recorded inventory')
  await forgetRecord(context)

  if (environment.keepData) attention('volumes and production certificates were kept: the next make install takes them up again')
  done(`removed ${plan.proof.length} objects, nothing is left · ${elapsed(Date.now() - started)}`)
  next(target.named ? 'make install' : 'make rehearsal-down')
})
