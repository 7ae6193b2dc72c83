/**
 * The embedded rehearsal cluster: make rehearsal-up | rehearsal-down | rehearsal-env.
 * `up` builds it once and starts it, `down` ends it and forgets its state, `env` prints shell code for `eval`.
 * REHEARSAL names the instance (default: default); DRY_RUN=1 says what would be done.
 */
import { failure, refusal } from './lib/errors.ts'
import { data, done, elapsed, next, say } from './lib/output.ts'
import { runTask } from './lib/task.ts'
import { shellEnvironment } from './rehearsal/environment.ts'
import { hasState, readInstance, startRehearsal, stopRehearsal } from './rehearsal/instance.ts'
import { instanceFolder, instanceName } from './rehearsal/paths.ts'

const dryRun = process.env.DRY_RUN === '1'

async function up(): Promise<void> {
  const running = await readInstance()
  if (running === undefined && dryRun) return say(`would build what is missing and start rehearsal cluster ${instanceName()} in ${instanceFolder(instanceName())}`)
  if (running !== undefined) done(`rehearsal cluster ${running.name} is already up`)
  const instance = running ?? await startRehearsal()
  say(`  API server ${instance.server} · kubeconfig ${instance.kubeconfig}`)
  say('  simulated: nodes and pods (kwok), volumes, load balancers; helm-controller is a stand-in; ACME challenges are taken as valid')
  next('eval "$(make -s rehearsal-env)"')
}

async function down(): Promise<void> {
  const folder = instanceFolder(instanceName())
  if (dryRun) return say(await hasState() ? `would end rehearsal cluster ${instanceName()} and remove ${folder}` : 'nothing to end')
  const begin = Date.now()
  const had = await hasState()
  const ran = await stopRehearsal()
  if (ran) return done(`rehearsal cluster ${instanceName()} ended, its state removed · ${elapsed(Date.now() - begin)}`)
  done(had ? `rehearsal cluster ${instanceName()} was not running, its state is removed` : `already no rehearsal cluster ${instanceName()}`)
}

async function env(): Promise<void> {
  const instance = await readInstance()
  if (instance === undefined) throw failure(`rehearsal cluster ${instanceName()} is not running`, { where: instanceFolder(instanceName()), fix: 'make rehearsal-up' })
  data(shellEnvironment(instance))
}

await runTask(async () => {
  const command = process.argv[2] ?? ''
  const commands: Record<string, () => Promise<void>> = { up, down, env }
  const run = commands[command]
  if (run === undefined) throw refusal(`rehearsal has no command "${command}"`, { fix: 'make rehearsal-up, make rehearsal-down or make -s rehearsal-env' })
  await run()
})
