/** What a task costs before it does anything: a mode task beside an empty script, and make's own help. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Lab, expectCode, run } from '../e2e/support.ts'
import type { Measured } from './cluster-run.ts'

const EMPTY = 'bench-empty.ts'

async function wall(lab: Lab, program: string, args: string[]): Promise<number> {
  const started = performance.now()
  expectCode(await run(program, args, { cwd: lab.folder, env: { ...lab.env, DRY_RUN: '1' } }), 0)
  return (performance.now() - started) / 1000
}

export async function* startUpRun(lab: Lab): AsyncGenerator<Measured> {
  await writeFile(path.join(lab.folder, EMPTY), 'export {}\n')
  const tsx = (...args: string[]) => wall(lab, process.execPath, ['--import', 'tsx/esm', ...args])
  // tsx keeps what it compiled: the first run of a fresh clone is not what a day is made of
  await tsx('tasks/certs.ts', 'prod')
  yield {
    values: {
      'node': await wall(lab, process.execPath, ['-e', '0']),
      'empty': await tsx(EMPTY),
      'task': await tsx('tasks/certs.ts', 'prod'),
      'make': await wall(lab, 'make', ['platform-certs-prod']),
      'help': await wall(lab, 'make', ['help']),
    },
  }
}
