/** Reads what a task takes from outside Git: `.env` below the process environment. Modes are not among it, they live in Git. */
import { readFile, stat } from 'node:fs/promises'
import { effectiveValues, permissionWarning, readEnvFile, unknownKeyWarnings } from './env-file.ts'
import { hasCode, refusal } from './errors.ts'
import { isFlagSet } from './flags.ts'
import { secretKeys, settingKeys } from './inputs.ts'
import { attention } from './output.ts'
import { inRepository } from './repository.ts'

const ENV_FILE = '.env'

export interface Environment {
  /** Empty means the rehearsal cluster. */
  kubeContext: string
  /** Runtime inputs that the user gave, by key. */
  given: Record<string, string>
  dryRun: boolean
  /** YES=1: destroy without asking. */
  yes: boolean
  /** KEEP_DATA=1: teardown keeps volumes and production certificates. */
  keepData: boolean
  /** JSON=1 or --json: data on stdout for programs. */
  json: boolean
  /** TIMEOUT, given in seconds: how many milliseconds a task waits for the platform. */
  timeout: number
}

const DEFAULT_TIMEOUT_S = 900

function readTimeout(text: string | undefined): number {
  const seconds = Number(text === undefined || text === '' ? DEFAULT_TIMEOUT_S : text)
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000
  throw refusal('TIMEOUT is not a number of seconds', { fix: 'make install TIMEOUT=600' })
}

async function readIfThere(file: string): Promise<string> {
  try {
    const { mode } = await stat(file)
    const warning = permissionWarning(ENV_FILE, mode)
    if (warning !== undefined) attention(warning)
    return await readFile(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    if (hasCode(error, 'EACCES') || hasCode(error, 'EISDIR')) throw refusal(`${ENV_FILE} cannot be read`, { where: file, why: (error as Error).message, fix: `ls -ld ${ENV_FILE}` })
    throw error
  }
}

/** Reads `.env` and the process environment, warning about what is odd. @throws refusal when `.env` is malformed */
export async function loadEnvironment(): Promise<Environment> {
  const text = await readIfThere(inRepository(ENV_FILE))
  const fromFile = readEnvFile({ file: ENV_FILE, text })
  for (const warning of unknownKeyWarnings({ file: ENV_FILE, text }, [...settingKeys, ...secretKeys])) attention(warning)
  const { KUBE_CONTEXT: kubeContext = '', ...given } = effectiveValues(fromFile, process.env, { settings: settingKeys, secrets: secretKeys })
  return {
    kubeContext, given,
    dryRun: isFlagSet(process.env, 'DRY_RUN'), yes: isFlagSet(process.env, 'YES'), keepData: isFlagSet(process.env, 'KEEP_DATA'),
    json: isFlagSet(process.env, 'JSON') || process.argv.includes('--json'),
    timeout: readTimeout(process.env.TIMEOUT),
  }
}
