/** Where the checkout is, whatever folder a task was started from. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')

/** @returns a path in the checkout. */
export const inRepository = (...parts: string[]): string => path.join(repositoryRoot, ...parts)
