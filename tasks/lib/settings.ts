/** Reads the one file a fork edits: clusters/home/platform-settings.yaml. */
import { readFile } from 'node:fs/promises'
import { parseDocument } from 'yaml'
import { hasCode, refusal } from './errors.ts'
import { inRepository } from './repository.ts'

export const SETTINGS_FILE = 'clusters/home/platform-settings.yaml'

export interface PlatformSettings {
  certIssuer: string
  baseDomain: string
  acmeEmail: string
  gitUrl: string
  gitBranch: string
}

const keys = { certIssuer: 'CERT_ISSUER', baseDomain: 'BASE_DOMAIN', acmeEmail: 'ACME_EMAIL', gitUrl: 'GIT_URL', gitBranch: 'GIT_BRANCH' } as const

/** @throws refusal with the key that is missing, or the file's own fault */
export function parsePlatformSettings(text: string): PlatformSettings {
  const document = parseDocument(text)
  const [fault] = document.errors
  if (fault) throw refusal('the platform settings are not valid YAML', { where: `${SETTINGS_FILE}:${fault.linePos?.[0].line ?? 1}`, why: fault.message.split('\n')[0] })
  const read = (key: string): string => {
    const value = document.getIn(['data', key])
    if (typeof value === 'string' && value.trim() !== '') return value
    throw refusal(`the platform settings lack ${key}`, { where: `${SETTINGS_FILE} · data.${key}`, fix: `add a line "  ${key}: …" under data:` })
  }
  return { certIssuer: read(keys.certIssuer), baseDomain: read(keys.baseDomain), acmeEmail: read(keys.acmeEmail), gitUrl: read(keys.gitUrl), gitBranch: read(keys.gitBranch) }
}

/** @throws refusal when the file is missing or incomplete */
export async function readPlatformSettings(): Promise<PlatformSettings> {
  try {
    return parsePlatformSettings(await readFile(inRepository(SETTINGS_FILE), 'utf8'))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw refusal('the platform settings are missing', { where: SETTINGS_FILE, fix: `git checkout -- ${SETTINGS_FILE}` })
    throw error
  }
}
