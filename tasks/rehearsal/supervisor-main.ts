/**
 * The detached process of one instance: node … supervisor-main.ts NAME PROGRAMS WORLD. It holds every other process of the instance, restarts
 * those that die, and ends them in order on SIGTERM.
 */
import { appendFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { messageOf } from '../lib/errors.ts'
import { instanceFolder } from './paths.ts'
import { GO } from './launch.ts'
import { startInstance } from './supervisor.ts'

const [name = '', programs = '', world = ''] = process.argv.slice(2)
const folder = instanceFolder(name)

// its task was killed before it had written down this process
if (await text(process.stdin) !== GO) process.exit(0)

await mkdir(path.join(folder, 'logs'), { recursive: true, mode: 0o700 })
// sockets have short path limits: the relay's is named relative to this
process.chdir(folder)

const log = (line: string): void => appendFileSync(path.join(folder, 'logs', 'supervisor.log'), `${new Date().toISOString()} ${line}\n`, { mode: 0o600 })

process.on('uncaughtException', error => log(`not handled: ${error.stack ?? error.message}`))
process.on('unhandledRejection', error => log(`not handled: ${error instanceof Error ? error.stack ?? error.message : messageOf(error)}`))

const instance = startInstance({ name, folder, programs, world, log })
let stopping = false
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stopping) return
    stopping = true
    log(`${signal}: ends all processes`)
    void instance.stop().finally(() => process.exit(0))
  })
}
instance.started.catch((error: unknown) => {
  log(`start failed: ${messageOf(error)}`)
  if (stopping) return
  stopping = true
  void instance.stop().finally(() => process.exit(1))
})
