/** The bench's own clone and rehearsal cluster, and what every part does with them. */
import { cp } from 'node:fs/promises'
import path from 'node:path'
import { type Api, connectApi } from '../../tasks/lib/api.ts'
import { failure } from '../../tasks/lib/errors.ts'
import { say } from '../../tasks/lib/output.ts'
import { inRepository } from '../../tasks/lib/repository.ts'
import { onTaskEnd } from '../../tasks/lib/task.ts'
import { type Instance, readInstance } from '../../tasks/rehearsal/instance.ts'
import { type Lab, type Run, closeLab, expectCode, git, make, must, openLab } from '../e2e/support.ts'
import { type Recorder, notIssued, notReady, startRecorder } from './recorder.ts'

export const BENCH_INSTANCE = 'bench'
const BRANCH = 'main'

/** Opens the bench's clone with the packages of this checkout; both clone and cluster go when the task ends. */
export async function openBench(): Promise<Lab> {
  const lab = await openLab(BENCH_INSTANCE)
  onTaskEnd(() => closeLab(lab))
  await cp(inRepository('node_modules'), path.join(lab.folder, 'node_modules'), { recursive: true, preserveTimestamps: true })
  lab.env = { ...lab.env, DRY_RUN: '', YES: '1', KEEP_DATA: '', JSON: '', TIMEOUT: '600' }
  return lab
}

/** Runs a make target that must succeed. A bench that is interrupted ends it. @returns how long it took, in seconds */
export async function timed(lab: Lab, target: string, env: NodeJS.ProcessEnv = {}): Promise<number> {
  let forget = () => {}
  const result: Run = await make(lab, target, { env, onStart: child => { forget = onTaskEnd(() => { child.kill('SIGTERM') }) } })
  forget()
  expectCode(result, 0)
  return result.seconds
}

export interface Cluster {
  instance: Instance
  api: Api
  recorder: Recorder
}

/** Starts a fresh, empty cluster with a recorder. @returns it, and the seconds that `make rehearsal-up` took */
export async function startCluster(lab: Lab): Promise<{ cluster: Cluster, seconds: number }> {
  await timed(lab, 'rehearsal-down')
  const seconds = await timed(lab, 'rehearsal-up')
  const instance = await readInstance(BENCH_INSTANCE)
  if (instance === undefined) throw failure('the bench has no rehearsal cluster', { where: BENCH_INSTANCE })
  const api = connectApi(path.join(instance.folder, 'api.sock'))
  return { cluster: { instance, api, recorder: startRecorder(api) }, seconds }
}

export async function stopCluster(lab: Lab, cluster: Cluster): Promise<void> {
  cluster.recorder.stop()
  await timed(lab, 'rehearsal-down')
}

/** @returns the artifact revision of the clone's HEAD. */
export const headRevision = async (lab: Lab): Promise<string> => `${BRANCH}@sha1:${await git(lab, 'rev-parse', 'HEAD')}`

/** Brings HEAD to the cluster's Git server without any task. */
export const push = (lab: Lab, cluster: Cluster): Promise<string> => git(lab, 'push', '--force', '--quiet', cluster.instance.gitRepository, `HEAD:refs/heads/${BRANCH}`)

export const ready = (cluster: Cluster, revision: string): Promise<number> => cluster.recorder.until(`everything Ready at ${revision}`, () => notReady(cluster.recorder.history, revision))
export const issued = (cluster: Cluster): Promise<number> => cluster.recorder.until('all certificates issued', () => notIssued(cluster.recorder.history))

/** @returns when an object was first seen after a moment. */
export const seenSince = (cluster: Cluster, ref: string, since: number): Promise<number> => cluster.recorder.until(ref, () =>
  cluster.recorder.history.get(ref)?.some(({ at }) => at >= since) === true ? undefined : ref)

/** Runs the cluster's own kubectl, through its outside world. */
export function benchKubectl(lab: Lab, { instance }: Cluster, args: string[]): Promise<string> {
  const proxy = { HTTP_PROXY: instance.proxy, http_proxy: instance.proxy, NO_PROXY: '127.0.0.1,localhost', no_proxy: '127.0.0.1,localhost' }
  return must(path.join(instance.programs, 'kubectl'), args, { cwd: lab.folder, env: { ...proxy, KUBECONFIG: instance.kubeconfig } })
}

const figure = ([name, value]: [string, number]): string => `${name} ${value.toFixed(2)}`

/** Says what was measured just now. */
export const report = (values: Record<string, number>): void => say(`  ${Object.entries(values).map(figure).join(' · ')}`)
