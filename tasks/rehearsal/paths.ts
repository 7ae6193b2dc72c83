/** Where the rehearsal keeps what it builds and what it runs. */
import { homedir } from 'node:os'
import path from 'node:path'
import { refusal } from '../lib/errors.ts'

/** @returns HOMELAB_HOME, by default `homelab` in the user's cache folder. */
export function homelabHome(env: NodeJS.ProcessEnv = process.env): string {
  if (env.HOMELAB_HOME !== undefined && env.HOMELAB_HOME !== '') return path.resolve(env.HOMELAB_HOME)
  const cache = env.XDG_CACHE_HOME !== undefined && env.XDG_CACHE_HOME !== '' ? env.XDG_CACHE_HOME : path.join(homedir(), '.cache')
  return path.join(cache, 'homelab')
}

/** @returns the instance's name from REHEARSAL. @throws refusal for a name that could not be part of a path or a context */
export function instanceName(env: NodeJS.ProcessEnv = process.env): string {
  const name = env.REHEARSAL !== undefined && env.REHEARSAL !== '' ? env.REHEARSAL : 'default'
  if (/^[a-z0-9-]{1,20}$/.test(name)) return name
  throw refusal(`REHEARSAL="${name}" is not a name for a rehearsal cluster`, { why: 'it takes 1 to 20 of a-z, 0-9 and -', fix: 'REHEARSAL=try-1 make rehearsal-up' })
}

export const instancesFolder = (): string => path.join(homelabHome(), 'rehearsal')
export const instanceFolder = (name: string): string => path.join(instancesFolder(), name)
export const programsFolder = (hash: string): string => path.join(homelabHome(), 'programs', hash)
