/** Starts all parts of one instance in an order that wastes no time, and ends them in an order that leaves nothing behind. */
import { rm } from 'node:fs/promises'
import type http from 'node:http'
import path from 'node:path'
import type { Api } from '../lib/api.ts'
import { messageOf } from '../lib/errors.ts'
import { startApiRelay } from './api-relay.ts'
import { createBasics, waitForApi, waitForUse } from './bootstrap.ts'
import { type Child, type ChildHooks, type ChildSpec, startChild } from './child.ts'
import * as controlPlane from './control-plane.ts'
import type { Place } from './control-plane.ts'
import { startControllerRunner } from './controller-runner.ts'
import { type Credentials, prepareCredentials } from './credentials.ts'
import { makeFolders } from './folders.ts'
import { startInternet } from './internet.ts'
import { startLoadBalancers } from './load-balancers.ts'
import { pebble, registry } from './outside-world.ts'
import { type RehearsalState, readState, writeState } from './state.ts'
import { startVolumes } from './volumes.ts'

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
  stopControllers: () => Promise<void>
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

async function prepare(options: SupervisorOptions): Promise<Running> {
  const { folder, log } = options
  await makeFolders(folder, options.programs)
  const state = await readState(folder)
  if (state === undefined) throw new Error(`${folder} has no state: the task that starts a supervisor writes it`)
  const running: Running = {
    options, state, children: [], servers: [], stopControllers: async () => {}, stopping: new AbortController(), saved: Promise.resolve(),
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

function start(running: Running, ...specs: ChildSpec[]): Child[] {
  const children = specs.map(spec => startChild(spec, running.hooks))
  running.children.push(...children)
  return children
}

async function startRelay(running: Running, credentials: Credentials): Promise<Api> {
  await rm(path.join(running.options.folder, 'api.sock'), { force: true })
  const { api, server } = await startApiRelay('api.sock', running.state.ports.apiserver, credentials)
  running.servers.push(server)
  return api
}

async function startControlPlane(running: Running, place: Place, api: Api): Promise<void> {
  const begin = Date.now()
  start(running, controlPlane.etcd(place), controlPlane.apiserver(place))
  await waitForApi(api)
  running.options.log(`kube-apiserver is ready after ${Date.now() - begin} ms`)
  start(running, controlPlane.controllerManager(place), controlPlane.scheduler(place), controlPlane.kwok(place))
  await createBasics(api)
  await waitForUse(api)
  running.options.log(`pods can run after ${Date.now() - begin} ms`)
}

async function startAll(running: Running): Promise<void> {
  const { options: { folder, programs, world, name, log }, state, hooks, stopping: { signal } } = running
  const place = { folder, programs, ports: state.ports }
  const credentials = await prepareCredentials(place, name)
  const api = await startRelay(running, credentials)
  const acme = { api, ca: credentials.ca }
  const control = startControlPlane(running, place, api)
  const outside = start(running, registry(place, path.join(world, 'charts')), pebble(place, 'staging', acme), pebble(place, 'prod', acme))
  await control
  running.servers.push(await startInternet({ folder, world, ports: state.ports, api }))
  startLoadBalancers(api, signal, log)
  startVolumes(api, signal, log)
  running.stopControllers = startControllerRunner({ place, api, hooks, credentials, signal })
  await Promise.all(outside.map(child => child.useful))
  state.phase = 'ready'
  save(running)
  await running.saved
}

async function stopAll(running: Running): Promise<void> {
  running.stopping.abort()
  const last = ['kube-apiserver', 'etcd']
  const stop = (children: Child[]) => Promise.all(children.map(child => child.stop()))
  await Promise.all([running.stopControllers(), stop(running.children.filter(child => !last.includes(child.name)))])
  for (const server of running.servers) {
    server.close()
    server.closeAllConnections()
  }
  // when etcd goes first, kube-apiserver lingers and keeps its port
  for (const name of last) await stop(running.children.filter(child => child.name === name))
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
