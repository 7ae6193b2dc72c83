/** What a task costs while it follows the platform: memory, CPU, watch streams. Linux only: it reads /proc. */
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { hasCode } from '../../tasks/lib/errors.ts'
import { onTaskEnd } from '../../tasks/lib/task.ts'
import { type Lab, type Run, run } from '../e2e/support.ts'
import { type Cluster, benchKubectl } from './lab.ts'

export interface Usage {
  result: Run
  /** Peak, in MiB. */
  memory: number
  /** CPU time in percent of one core from 1.5 s after the start to the end. */
  cpu: number
}

const TICKS_PER_SECOND = 100
const SAMPLE_MS = 100
const START_MS = 1500

interface Sample { at: number, cpu: number, memory: number }

async function sample(pid: number): Promise<Sample | undefined> {
  try {
    const [stat, status] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/status`, 'utf8')])
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
    return peak === undefined ? undefined : { at: Date.now(), cpu: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, memory: Number(peak) / 1024 }
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return undefined
    throw error
  }
}

const shareOf = (first: Sample | undefined, last: Sample | undefined): number => first === undefined || last === undefined || last.at === first.at ? 0 : (last.cpu - first.cpu) * 100_000 / (last.at - first.at)

/** Runs a task as make does, without make in between. @param onRunning called once with the process id */
export async function measureTask(lab: Lab, task: string, options: { env?: NodeJS.ProcessEnv, onRunning?: (pid: number) => void } = {}): Promise<Usage> {
  const samples: Sample[] = []
  let timer: NodeJS.Timeout | undefined
  let forget = () => {}
  const result = await run(process.execPath, ['--import', 'tsx/esm', `tasks/${task}.ts`], {
    cwd: lab.folder, env: { ...lab.env, ...options.env }, onStart: child => {
      const { pid = 0 } = child
      forget = onTaskEnd(() => { child.kill('SIGTERM') })
      timer = setInterval(() => void sample(pid).then(one => one && samples.push(one)), SAMPLE_MS)
      options.onRunning?.(pid)
    },
  })
  clearInterval(timer)
  forget()
  const begin = samples[0]?.at ?? 0
  return { result, memory: samples.at(-1)?.memory ?? 0, cpu: shareOf(samples.find(({ at }) => at - begin > START_MS), samples.at(-1)) }
}

/** @returns open watch requests by resource, as the API server counts them. */
async function watchStreams(lab: Lab, cluster: Cluster): Promise<Map<string, number>> {
  const text = await benchKubectl(lab, cluster, ['get', '--raw', '/metrics'])
  const streams = new Map<string, number>()
  for (const [, labels = '', value = ''] of text.matchAll(/^apiserver_longrunning_requests\{([^}]*)\} (\S+)$/gm)) {
    if (!labels.includes('verb="WATCH"')) continue
    const resource = /resource="([^"]*)"/.exec(labels)?.[1] ?? ''
    streams.set(resource, (streams.get(resource) ?? 0) + Number(value))
  }
  return streams
}

export interface Idle { streams: number, kinds: number, cpu: number, memory: number }

const IDLE_MS = 10_000

/**
 * What a task does while it waits for something that does not come. The caller has made sure that it does not.
 * @param settled ms after which nothing else is going on in the cluster
 */
export async function measureIdle(lab: Lab, cluster: Cluster, settled: number): Promise<Idle> {
  const before = await watchStreams(lab, cluster)
  const measured: Partial<Idle> = {}
  const observe = async (pid: number) => {
    await pause(settled)
    const [first, during] = [await sample(pid), await watchStreams(lab, cluster)]
    await pause(IDLE_MS)
    const opened = [...during].map(([resource, count]) => count - (before.get(resource) ?? 0)).filter(count => count > 0)
    Object.assign(measured, { cpu: shareOf(first, await sample(pid)), streams: opened.reduce((sum, count) => sum + count, 0), kinds: opened.length })
  }
  let observing: Promise<void> | undefined
  const { memory } = await measureTask(lab, 'reconcile', { env: { TIMEOUT: String((settled + IDLE_MS) / 1000 + 4) }, onRunning: pid => { observing = observe(pid) } })
  await observing
  return { streams: measured.streams ?? 0, kinds: measured.kinds ?? 0, cpu: measured.cpu ?? 0, memory }
}
