/** Runs a task's body: the one place where an error becomes text and an exit code, and where a signal is answered. */
import { exitCodeOf, formatError, say } from './output.ts'

type Cleanup = () => void | Promise<void>
const cleanups = new Set<Cleanup>()

/**
 * Registers work to be done when the task ends in any way but SIGKILL: normally, by an error or by a signal.
 * @returns a function that takes the registration back.
 */
export function onTaskEnd(cleanup: Cleanup): () => void {
  cleanups.add(cleanup)
  return () => cleanups.delete(cleanup)
}

async function cleanUp(): Promise<void> {
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup)
    await cleanup()
  }
}

/** Runs `body`, prints its error if it throws, and sets the exit code: 0 done, 1 failed, 2 refused, 130 and 143 on SIGINT and SIGTERM. */
export async function runTask(body: () => Promise<void>): Promise<void> {
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
    process.once(signal, () => {
      void cleanUp().finally(() => {
        say(`✗ interrupted by ${signal}: what the cluster was told keeps going; run the same command again to follow it`)
        process.exit(code)
      })
    })
  }
  try {
    await body()
  } catch (error) {
    await cleanUp()
    say(formatError(error))
    process.exitCode = exitCodeOf(error)
  }
  await cleanUp()
}
