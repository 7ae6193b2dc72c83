/** Notices an API server that has fallen silent: its watch streams stay open and say nothing, as if nothing changed. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Api, open, readAll } from './api.ts'
import type { Row } from './platform-tree.ts'

type Pulse = 'steady' | 'silent' | 'back'

const EVERY_MS = 1000
const SILENT_MS = 3000

async function answers(api: Api, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await open(api, 'GET', '/livez', { signal: AbortSignal.any([signal, AbortSignal.timeout(SILENT_MS)]) })
    await readAll(response)
    return (response.statusCode ?? 0) < 500
  } catch {
    // refused, reset, timed out: all the same to who waits
    return false
  }
}

/**
 * Asks the API server once a second until the signal.
 * @param onChange called when it falls silent and when it answers again
 * @returns a function that gives its row of the tree; none as long as it has always answered
 */
export function followHeartbeat(api: Api, options: { signal: AbortSignal, onChange: () => void }): () => Row[] {
  const pulse: { now: Pulse } = { now: 'steady' }
  const loop = async () => {
    while (!options.signal.aborted) {
      const alive = await answers(api, options.signal)
      if (options.signal.aborted) return
      const before = pulse.now
      if (!alive) pulse.now = 'silent'
      else if (before === 'silent') pulse.now = 'back'
      if (pulse.now !== before) options.onChange()
      await pause(EVERY_MS, undefined, { signal: options.signal }).catch((error: unknown) => {
        if (!options.signal.aborted) throw error
      })
    }
  }
  void loop()
  const rows: Record<Pulse, Row[]> = {
    steady: [],
    silent: [{ depth: 0, label: 'API server', state: 'waiting', words: 'does not answer: waiting for it' }],
    back: [{ depth: 0, label: 'API server', state: 'ready', words: 'answers again' }],
  }
  return () => rows[pulse.now]
}
