/** Decides which cluster a task works on: the named context, or the rehearsal cluster; never kubectl's current context. */
import path from 'node:path'
import { type Instance, findInstanceByServer, readInstance, startRehearsal } from '../rehearsal/instance.ts'
import { type Api, connectApi, request } from './api.ts'
import { failure, messageOf } from './errors.ts'
import { type KubectlAccess, serverOf, startProxy } from './kubectl.ts'
import { say } from './output.ts'
import { onTaskEnd } from './task.ts'

const PATIENCE_MS = 60_000

export interface Target {
  kubectl: KubectlAccess
  /** True when KUBE_CONTEXT named the cluster: Git must be pushed, secrets are never made up. */
  named: boolean
  /** The rehearsal instance behind the cluster, if it is one. */
  rehearsal: Instance | undefined
  /** `home`, or `rehearsal` on a rehearsal cluster, however it was named: the folder below clusters/ that describes it. */
  scope: 'home' | 'rehearsal'
}

function rehearsalTarget(instance: Instance): Target {
  const kubectl = {
    program: path.join(instance.programs, 'kubectl'), context: instance.context,
    env: { KUBECONFIG: instance.kubeconfig, HTTP_PROXY: instance.proxy, http_proxy: instance.proxy, NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' },
  }
  return { kubectl, named: false, rehearsal: instance, scope: 'rehearsal' }
}

async function namedTarget(context: string): Promise<Target> {
  const kubectl: KubectlAccess = { program: 'kubectl', context, env: {} }
  const instance = await findInstanceByServer(await serverOf(kubectl))
  if (instance === undefined) return { kubectl, named: true, rehearsal: undefined, scope: 'home' }
  const { env } = rehearsalTarget(instance).kubectl
  const { KUBECONFIG: _, ...proxy } = env
  return { kubectl: { ...kubectl, env: proxy }, named: true, rehearsal: instance, scope: 'rehearsal' }
}

/**
 * @param context KUBE_CONTEXT; empty means the rehearsal cluster
 * @param options.start build and start the rehearsal cluster when it does not run
 * @throws refusal or failure that says what is missing
 */
export async function resolveTarget(context: string, options: { start: boolean }): Promise<Target> {
  if (context !== '') return namedTarget(context)
  const instance = options.start ? await startRehearsal() : await readInstance()
  if (instance === undefined) throw failure('the rehearsal cluster is not running', { why: 'KUBE_CONTEXT is empty, which means the rehearsal cluster', fix: 'make install (starts it), or set KUBE_CONTEXT in .env' })
  return rehearsalTarget(instance)
}

/** Says which cluster is meant, and on the rehearsal what is real and what is not. */
export function announce(target: Target): void {
  if (target.rehearsal === undefined) return say(`cluster ${target.kubectl.context} · clusters/home`)
  say(`rehearsal cluster ${target.kubectl.context} · clusters/rehearsal · nodes and pods are simulated, helm-controller is a stand-in; Flux, Helm, cert-manager, ACME are real`)
  if (!target.named) say('no KUBE_CONTEXT is set, so this is not a cluster of yours: set it in .env to install for real')
}

/** Connects to the API server. @throws failure when it does not answer. */
export async function connect(target: Target): Promise<Api> {
  const api = connectApi(await startProxy(target.kubectl))
  try {
    await request(api, 'GET', '/version')
    // from here on an API server that restarts is waited for
    api.patience = PATIENCE_MS
    // its proxy ends with the task: what was still asked for then would hold an error back for a minute
    onTaskEnd(() => { api.patience = 0 })
    return api
  } catch (error) {
    throw failure('the cluster cannot be reached', { where: `context ${target.kubectl.context}`, why: messageOf(error), fix: `kubectl --context ${target.kubectl.context} version` })
  }
}
