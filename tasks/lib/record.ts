/** What a teardown set out to remove, kept until it has proved itself: one that was killed goes on from the same list. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { homelabHome } from '../rehearsal/paths.ts'
import { failure, hasCode, messageOf } from './errors.ts'
import type { Item } from './inventory.ts'
import type { Neighbours } from './neighbours.ts'

export interface TeardownRecord {
  /** Uid of the cluster's kube-system: another cluster behind the same context's name has other objects. */
  cluster: string
  items: Item[]
  /** The cluster's own record of them goes with Flux's namespace. */
  neighbours: Neighbours
}

const fileOf = (context: string): string => path.join(homelabHome(), 'teardown', `${context.replace(/[^A-Za-z0-9._-]/g, '_')}.json`)

/** @returns what an earlier, unfinished teardown of this cluster recorded; nothing when there was none. */
export async function readRecord(context: string, cluster: string): Promise<TeardownRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(fileOf(context), 'utf8')) as Partial<TeardownRecord>
    return record.cluster === cluster && record.items !== undefined && record.neighbours !== undefined ? record as TeardownRecord : undefined
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Writes the record in one step. @throws failure where it cannot be written: nothing may be removed that is not recorded */
export async function writeRecord(context: string, record: TeardownRecord): Promise<void> {
  const file = fileOf(context)
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(`${file}.new`, JSON.stringify(record), { mode: 0o600 })
    await rename(`${file}.new`, file)
  } catch (error) {
    await rm(`${file}.new`, { force: true })
    throw failure('the inventory cannot be recorded, so nothing was removed', { where: file, why: messageOf(error), fix: `df -h ${path.dirname(path.dirname(file))}` })
  }
}

export const forgetRecord = (context: string): Promise<void> => rm(fileOf(context), { force: true })
