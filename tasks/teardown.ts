/**
 * Removes everything the platform brought, in the order that leaves nothing hanging, and proves that it is gone.
 * Usage: make teardown [KUBE_CONTEXT=name] [DRY_RUN=1] [YES=1] [KEEP_DATA=1] [TIMEOUT=seconds per step]
 */
import { get, list } from './lib/api.ts'
import { confirmByName } from './lib/confirm.ts'
import { loadEnvironment } from './lib/environment.ts'
import { keyOf, takeInventory } from './lib/inventory.ts'
import { keepNamespaces, keepSecrets, secretsToKeep } from './lib/kept-data.ts'
import { readNeighbours } from './lib/neighbours.ts'
import { attention, data, done, elapsed, next, say } from './lib/output.ts'
import { forgetRecord, readRecord, writeRecord } from './lib/record.ts'
import { Namespace, PersistentVolumeClaim } from './lib/resources.ts'
import { ROOT, platformOnly, readSnapshot } from './lib/snapshot.ts'
import { announce, connect, resolveTarget } from './lib/target.ts'
import { runTask } from './lib/task.ts'
import { type Teardown, prepare, removeFlux, removeLayers, removeShared, requireGone, requireNoStrangers } from './lib/teardown.ts'
import { type ClaimObject, describeTeardown, planTeardown } from './lib/teardown-plan.ts'

await runTask(async () => {
  const started = performance.now()
  const environment = await loadEnvironment()
  const { keepData } = environment
  const target = await resolveTarget(environment.kubeContext, { start: false })
  announce(target)
  const { context } = target.kubectl
  const api = await connect(target)

  const cluster = (await get(api, Namespace, { name: 'kube-system' }))?.metadata.uid ?? ''
  const [everything, claims, recorded, record] = await Promise.all([readSnapshot(api), list<ClaimObject>(api, PersistentVolumeClaim), readNeighbours(api), readRecord(context, cluster)])
  const snapshot = platformOnly(everything)
  const items = new Map([...record?.items ?? [], ...await takeInventory(api, snapshot)].map(item => [keyOf(item), item]))
  const neighbours = recorded ?? record?.neighbours ?? { namespaces: [], definitions: [] }
  const plan = planTeardown(snapshot, [...items.values()], { root: ROOT, neighbours, claims: claims.items, keepData })
  if (plan.proof.length === 0) return done(`already removed: nothing of the platform is in ${context}${plan.kept.length > 0 ? ` but what was kept: ${plan.kept.join(', ')}` : ''}`)
  requireNoStrangers(everything, snapshot)

  if (environment.dryRun) {
    data(describeTeardown(plan, snapshot, { keepData }).join('\n'))
    return done('dry run: nothing was removed')
  }
  for (const line of describeTeardown(plan, snapshot, { keepData })) say(line)
  await confirmByName(context, { yes: environment.yes, command: 'make teardown' })
  await writeRecord(context, { cluster, items: [...items.values()], neighbours })
  if (keepData) {
    await keepNamespaces(api, plan.kept)
    done(`kept ${await keepSecrets(api, secretsToKeep(snapshot))} Secrets in the namespace homelab-kept`)
  }

  const teardown: Teardown = { api, plan, root: ROOT, deadline: environment.timeout }
  await prepare(teardown, snapshot)
  await removeLayers(teardown)
  const inUse = await removeShared(teardown)
  await removeFlux(teardown)
  await requireGone(teardown, plan.proof.filter(item => !inUse.includes(item.name)), `proof: ${plan.proof.length} objects gone`)
  await forgetRecord(context)

  if (keepData) attention('volumes, passwords and production certificates were kept: the next make install takes them up again')
  done(`removed ${plan.proof.length - inUse.length} objects, nothing is left · ${elapsed(performance.now() - started)}`)
  next(target.named ? 'make install' : 'make rehearsal-down')
})
