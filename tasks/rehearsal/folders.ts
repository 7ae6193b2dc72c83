/** The folders of an instance. */
import { execFile } from 'node:child_process'
import { mkdir, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

/** Makes the folder for a user's PATH, the bare repository that Flux reads, and what else the parts of an instance expect. */
export async function makeFolders(folder: string, programs: string): Promise<void> {
  for (const part of ['home', 'tmp', 'logs', 'git', 'authorities']) await mkdir(path.join(folder, part), { recursive: true, mode: 0o700 })
  await rm(path.join(folder, 'bin'), { recursive: true, force: true })
  await mkdir(path.join(folder, 'bin'))
  for (const name of ['kubectl', 'helm']) await symlink(path.join(programs, name), path.join(folder, 'bin', name))
  await promisify(execFile)('git', ['init', '--quiet', '--bare', '--initial-branch=main', path.join(folder, 'git', 'homelab.git')])
}
