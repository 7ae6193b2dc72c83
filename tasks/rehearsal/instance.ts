/** What tasks see of the rehearsal: start it, find it, stop it. */
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { attention, doing, done, elapsed, waiting } from '../lib/output.ts'
import { buildPrograms } from './build.ts'
import { launchSupervisor, waitUntilReady } from './launch.ts'
import { withLock } from './lock.ts'
import { homelabHome, instanceFolder, instanceName } from './paths.ts'
import { endProcess, isAlive } from './processes.ts'
import { type RehearsalState, instanceNames, readLiveState, readState } from './state.ts'
import { prepareWorld } from './world.ts'

export interface Instance {
  name: string
  folder: string
  /** Folder of the binaries it runs. */
  programs: string
  kubeconfig: string
  context: string
  /** The API server's URL. */
  server: string
  /** Bare repository behind http://git.rehearsal.internal/homelab.git. */
  gitRepository: string
  /** The HTTP proxy through which the rehearsal's outside world is reached. */
  proxy: string
  /** Roots of the ACME servers: letsencrypt-staging.pem and letsencrypt-prod.pem. */
  authorityFolder: string
}

const STOP_PATIENCE_MS = 30_000

function instanceOf(state: RehearsalState): Instance {
  const folder = instanceFolder(state.name)
  return {
    name: state.name, folder, programs: state.programs, kubeconfig: path.join(folder, 'kubeconfig'), context: `rehearsal-${state.name}`,
    server: `https://127.0.0.1:${state.ports.apiserver}`, gitRepository: path.join(folder, 'git', 'homelab.git'),
    proxy: `http://127.0.0.1:${state.ports.internet}`, authorityFolder: path.join(folder, 'authorities'),
  }
}

/** @returns the instance if it runs and can be used. */
export async function readInstance(name = instanceName()): Promise<Instance | undefined> {
  const state = await readLiveState(name)
  return state?.phase === 'ready' ? instanceOf(state) : undefined
}

/** @returns the running instance whose API server has this URL, if there is one. */
export async function findInstanceByServer(server: string): Promise<Instance | undefined> {
  const wanted = server.replace(/\/+$/, '').replace('//localhost:', '//127.0.0.1:')
  const found = await Promise.all((await instanceNames()).map(name => readInstance(name)))
  return found.find(instance => instance?.server === wanted)
}

/** Ends what a killed supervisor left behind: only processes that it had written down, known by their start time. */
async function endOrphans(folder: string): Promise<void> {
  const state = await readState(folder)
  if (state === undefined) return
  const alive = []
  for (const [name, ref] of Object.entries(state.children)) if (await isAlive(ref)) alive.push({ name, ref })
  if (alive.length > 0) attention(`its supervisor is gone: ending ${alive.map(child => child.name).join(', ')}`)
  const last = ['kube-apiserver', 'etcd']
  await Promise.all(alive.filter(child => !last.includes(child.name)).map(child => endProcess(child.ref, STOP_PATIENCE_MS)))
  for (const name of last) await Promise.all(alive.filter(child => child.name === name).map(child => endProcess(child.ref, STOP_PATIENCE_MS)))
}

async function start(name: string): Promise<Instance> {
  const live = await readLiveState(name)
  if (live !== undefined) return instanceOf(live.phase === 'ready' ? live : await waitUntilReady(name, live.supervisor))
  const programs = await buildPrograms()
  const world = await prepareWorld(programs)
  const begin = Date.now()
  doing(`starting rehearsal cluster ${name}`)
  await endOrphans(instanceFolder(name))
  await mkdir(instanceFolder(name), { recursive: true, mode: 0o700 })
  const state = await waitUntilReady(name, await launchSupervisor(name, programs, world))
  done(`rehearsal cluster ${name} is up · ${elapsed(Date.now() - begin)}`)
  return instanceOf(state)
}

const lockFile = (name: string): string => path.join(homelabHome(), 'rehearsal', `${name}.lock`)

/** Builds what is missing, starts the instance if it does not run, and waits until it can be used. */
export async function startRehearsal(): Promise<Instance> {
  const name = instanceName()
  return await readInstance(name) ?? withLock(lockFile(name), holder => waiting(`process ${holder.pid} starts rehearsal cluster ${name} already: waiting for it`), () => start(name))
}

/** @returns whether the instance runs or has left something behind. */
export async function hasState(name = instanceName()): Promise<boolean> {
  return (await instanceNames()).includes(name)
}

/** Ends all processes of the instance and removes its folder: the next start makes a fresh cluster. @returns false if there was none */
export async function stopRehearsal(): Promise<boolean> {
  const name = instanceName()
  return withLock(lockFile(name), holder => waiting(`process ${holder.pid} is busy with rehearsal cluster ${name}: waiting for it`), async () => {
    if (!await hasState(name)) return false
    const live = await readLiveState(name)
    if (live !== undefined) await endProcess(live.supervisor, STOP_PATIENCE_MS)
    await endOrphans(instanceFolder(name))
    await rm(instanceFolder(name), { recursive: true, force: true })
    return live !== undefined
  })
}
