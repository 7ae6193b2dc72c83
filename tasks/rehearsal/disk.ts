/** Disk space: asked for before the build, measured after it. */
import { lstat, mkdir, readdir, statfs } from 'node:fs/promises'
import path from 'node:path'
import { failure } from '../lib/errors.ts'

const GIB = 2 ** 30

/** @returns bytes as `1.2 GiB`. */
export const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`

/** @returns bytes of all files below a folder. */
export async function sizeOf(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name)
    bytes += entry.isDirectory() ? await sizeOf(file) : (await lstat(file)).size
  }
  return bytes
}

/** @throws failure when the file system of `folder` has less than `needed` bytes left */
export async function requireSpace(folder: string, needed: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (free >= needed) return
  throw failure(`the build needs ${gib(needed)} of disk, ${gib(free)} are free`, { where: folder, why: 'most of it is a compiler cache, which is deleted after the build', fix: 'free some space, or put HOMELAB_HOME on another disk: HOMELAB_HOME=/path make rehearsal-up' })
}
