/** The source Secret in the cluster: read, and judged for the proof. */
import { type Api, get } from './api.ts'
import { auditInputs } from './input-plan.ts'
import { sourceSecret } from './input-report.ts'
import { secretKeys } from './inputs.ts'
import { type KubeObject, decodeData } from './objects.ts'
import type { Check } from './proof.ts'
import { Secret } from './resources.ts'

/** @returns the decoded data of the source Secret, or undefined when there is none. */
export async function readSourceSecret(api: Api): Promise<Record<string, string> | undefined> {
  const secret = await get<KubeObject & { data?: Record<string, string> }>(api, Secret, sourceSecret)
  return secret && decodeData(secret.data)
}

/** @returns the check that every runtime input is there and usable, and the keys that are not. */
export function inputsCheck(data: Record<string, string> | undefined): { check: Check, missing: string[] } {
  const { missing, invalid, stale } = auditInputs(data)
  const faults = [
    ...missing.map(({ key, whereToGet }) => `${key} is missing: ${whereToGet}`),
    ...invalid.map(({ key, reason }) => `${key} ${reason}`),
    ...stale.map(key => `${key} does not fit the values`),
  ]
  const subject = `Secret/${sourceSecret.namespace}/${sourceSecret.name}`
  return { check: { subject, ok: faults.length === 0, words: faults.length === 0 ? 'every runtime input is there' : faults.join('\n') }, missing: missing.map(({ key }) => key) }
}

/** @returns the values that no output may hold, whatever object they stand in. */
export function secretValues(data: Record<string, string> | undefined): string[] {
  return secretKeys.flatMap(key => data?.[key] || []).flatMap(value => [value, Buffer.from(value).toString('base64')])
}
