/** Starts all parts of one instance in an order that wastes no time, and ends them in an order that leaves nothing behind. */
import { execFile } from 'node:child_process'
import { mkdir, rm, symlink } from 'node:fs/promises'
import type http from 'node:http'
import path from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../lib/errors.ts'
import { startApiRelay } from './api-relay.ts'
import { createBasics, waitForApi, waitForUse } from './bootstrap.ts'
import { type Child, type ChildHooks, type ChildSpec, startChild } from './child.ts'
import * as controlPlane from './control-plane.ts'
import { type Credentials, prepareCredentials } from './credentials.ts'
import { findPorts } from './ports.ts'
import { refOfProcess } from './processes.ts'
import { type RehearsalState, readState, writeState } from './state.ts'

export interface SupervisorOptions {
  name: string
  folder: string
  programs: string
  /** Folder with the Flux install manifest and the charts. */
  world: string
  log: (line: string) => void
}

interface Running {
  options: SupervisorOptions
  state: RehearsalState
  hooks: ChildHooks
  children: Child[]
  servers: http.Server[]
  stopping: AbortController
  /** The state file is written by one writer at a time. */
  saved: Promise<void>
}

/** The environment of every child: nothing of the task's own, which may hold secrets. */
function childEnvironment(folder: string): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: path.join(folder, 'home'), TMPDIR: path.join(folder, 'tmp') }
}

function save(running: Running): void {
  running.saved = running.saved.then(() => writeState(running.options.folder, running.state)).catch((error: unknown) => {
    running.options.log(`state.json cannot be written: ${messageOf(error)}`)
  })
}

/** The folder for a user's PATH, and the bare repository that Flux reads. */
async function makeFolders({ folder, programs }: SupervisorOptions): Promise<void> {
  for (const part of ['home', 'tmp', 'logs', 'git', 'authorities']) await mkdir(path.join(folder, part), { recursive: true, mode: 0o700 })
  await rm(path.join(folder, 'bin'), { recursive: true, force: true })
  await mkdir(path.join(folder, 'bin'))
  for (const name of ['kubectl', 'helm']) await symlink(path.join(programs, name), path.join(folder, 'bin', name))
  await promisify(execFile)('git', ['init', '--quiet', '--bare', '--initial-branch=main', path.join(folder, 'git', 'homelab.git')])
}

async function prepare(options: SupervisorOptions): Promise<Running> {
  const { folder, log } = options
  await makeFolders(options)
  const ports = await findPorts((await readState(folder))?.ports)
  const state: RehearsalState = {
    name: options.name, phase: 'starting', supervisor: await refOfProcess(process.pid), programs: options.programs, ports, children: {},
  }
  const running: Running = {
    options, state, children: [], servers: [], stopping: new AbortController(), saved: Promise.resolve(),
    hooks: {
      folder, env: childEnvironment(folder), log,
      onChange: (name, ref) => {
        if (ref === undefined) delete state.children[name]
        else state.children[name] = ref
        save(running)
      },
    },
  }
  save(running)
  return running
}

function start(running: Running, ...specs: ChildSpec[]): void {
  for (const spec of specs) running.children.push(startChild(spec, running.hooks))
}

async function startControlPlane(running: Running, credentials: Credentials): Promise<void> {
  const { options: { folder, programs, log }, state: { ports } } = running
  const place = { folder, programs, ports }
  const begin = Date.now()
  start(running, controlPlane.etcd(place), controlPlane.apiserver(place))
  await rm(path.join(folder, 'api.sock'), { force: true })
  const { api, server } = await startApiRelay('api.sock', ports.apiserver, credentials)
  running.servers.push(server)
  await waitForApi(api)
  log(`kube-apiserver ready after ${Date.now() - begin} ms`)
  start(running, controlPlane.controllerManager(place), controlPlane.scheduler(place), controlPlane.kwok(place))
  await createBasics(api)
  await waitForUse(api)
  log(`node ready after ${Date.now() - begin} ms`)
}

async function startAll(running: Running): Promise<void> {
  const { options, state } = running
  const place = { folder: options.folder, programs: options.programs, ports: state.ports }
  const credentials = await prepareCredentials(place, options.name)
  await startControlPlane(running, credentials)
  start(running, controlPlane.registry(place), controlPlane.pebble(place, 'acme-staging'), controlPlane.pebble(place, 'acme-prod'))
  state.phase = 'ready'
  save(running)
  await running.saved
}

async function stopAll(running: Running): Promise<void> {
  running.stopping.abort()
  const take = (names: string[]) => running.children.filter(child => names.includes(child.name))
  const last = ['kube-apiserver', 'etcd']
  await Promise.all(running.children.filter(child => !last.includes(child.name)).map(child => child.stop()))
  for (const server of running.servers) server.close()
  for (const server of running.servers) server.closeAllConnections()
  // when etcd goes first, kube-apiserver lingers and keeps its port
  for (const name of last) await Promise.all(take([name]).map(child => child.stop()))
  await rm(path.join(running.options.folder, 'api.sock'), { force: true })
  await running.saved
}

/** @returns `started`, which fails with what hindered it, and `stop`, which ends all processes. */
export function startInstance(options: SupervisorOptions): { started: Promise<void>, stop: () => Promise<void> } {
  const preparing = prepare(options)
  const started = preparing.then(async running => {
    try {
      await startAll(running)
    } catch (error) {
      Object.assign(running.state, { phase: 'failed', problem: messageOf(error) })
      save(running)
      throw error
    }
  })
  return { started, stop: async () => stopAll(await preparing) }
}
