/** A temporary Git repository that holds the tasks, so that they run on manifests of a test's own. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { inRepository } from '../../../tasks/lib/repository.ts'

export interface Checkout {
  root: string
  git: (...args: string[]) => string
  write: (file: string, text: string | Buffer) => void
  /** Runs a task as make does, by default in the checkout's root. */
  run: (task: string, args: readonly string[], options?: { cwd?: string; env?: Record<string, string> }) => { status: number | null; stdout: string; stderr: string }
  /** Takes the working tree and the branch back to the first commit. */
  reset: () => void
  remove: () => void
}

export function createCheckout(files: Record<string, string>): Checkout {
  const root = mkdtempSync(path.join(os.tmpdir(), 'homelab-modes-'))
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'commit.gpgsign=false', ...args], { cwd: root, encoding: 'utf8' })
  const write = (file: string, text: string | Buffer): void => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
  for (const part of ['package.json', 'tasks/certs.ts', 'tasks/app-test.ts', 'tasks/lib']) cpSync(inRepository(part), path.join(root, part), { recursive: true })
  symlinkSync(inRepository('node_modules'), path.join(root, 'node_modules'))
  for (const [file, text] of Object.entries({ '.gitignore': 'node_modules\n', ...files })) write(file, text)
  git('init', '-q', '-b', 'main')
  git('add', '-A')
  git('commit', '-qm', 'test: start')
  git('tag', 'start')
  const run: Checkout['run'] = (task, args, options = {}) => {
    const loader = inRepository('node_modules/tsx/dist/esm/index.mjs')
    return spawnSync(process.execPath, ['--import', loader, path.join(root, 'tasks', task), ...args], {
      cwd: options.cwd ?? root, encoding: 'utf8', env: { ...process.env, DRY_RUN: '', NO_COLOR: '1', ...options.env },
    })
  }
  const reset = (): void => {
    git('reset', '-q', '--hard', 'start')
    git('clean', '-qfdx', '-e', 'node_modules')
  }
  return { root, git, write, run, reset, remove: () => rmSync(root, { recursive: true, force: true }) }
}
