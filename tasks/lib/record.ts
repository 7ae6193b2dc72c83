/** The recorded inventory of a teardown, kept until it has proved itself: a teardown that was killed goes on from the same list. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { homelabHome } from '../rehearsal/paths.ts'
import { failure, hasCode, messageOf } from './errors.ts'
import type { Item } from './inventory.ts'

const fileOf = (context: string): string => path.join(homelabHome(), 'teardown', `${context.replace(/[^A-Za-z0-9._-]/g, '_')}.json`)

/** @returns what an earlier, unfinished teardown of this context recorded; nothing when there was none. */
export async function readRecord(context: string): Promise<Item[]> {
  try {
    return JSON.parse(await readFile(fileOf(context), 'utf8')) as Item[]
  } catch (error) {
    if (hasCode(error, 'ENOENT') || error instanceof SyntaxError) return []
    throw error
  }
}

/** Writes the record in one step. @throws failure where it cannot be written: nothing may be removed that is not recorded */
export async function writeRecord(context: string, items: Item[]): Promise<void> {
  const file = fileOf(context)
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(`${file}.new`, JSON.stringify(items), { mode: 0o600 })
    await rename(`${file}.new`, file)
  } catch (error) {
    throw failure('the inventory cannot be recorded, so nothing was removed', { where: file, why: messageOf(error), fix: `df -h ${path.dirname(path.dirname(file))}` })
  }
}

export const forgetRecord = (context: string): Promise<void> => rm(fileOf(context), { force: true })
