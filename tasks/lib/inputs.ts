/**
 * The contract of everything that comes from the environment instead of Git: one row per key of the Secret
 * flux-system/platform-runtime-inputs. `.env.example`, docs/runtime-inputs.md, the checks and the Secret all come from this table.
 */
import { randomBytes } from 'node:crypto'
import { clientIdFault, cookieSecretFault, passwordFault, secretFault } from './input-validation.ts'

/** A part of the platform whose pods use a key, and are rolled when it changes. */
export const consumers = ['oauth2-proxy', 'clickstack', 'otel'] as const
export type Consumer = (typeof consumers)[number]

interface Row {
  key: string
  /** One line: what it is. */
  purpose: string
}

/** A key whose value a person gives, or the platform makes once and keeps. */
export interface ValueInput extends Row {
  kind: 'required' | 'generated'
  consumers: readonly Consumer[]
  /** Where a person gets it, or what stands for it when none is given. */
  whereToGet: string
  /** @returns why a non-empty value can't be used, without repeating any of it, or undefined. */
  fault: (value: string) => string | undefined
  /** @returns a new random value. For a required key it only serves the rehearsal cluster. */
  generate: () => string
}

/** A key computed from all values that one consumer uses. */
export interface DerivedInput extends Row {
  kind: 'derived'
  consumer: Consumer
}

const made = 'made once by `make secrets-sync` and kept; set it only to bring your own'

export const valueInputs: readonly ValueInput[] = [
  {
    key: 'OAUTH2_PROXY_CLIENT_ID',
    purpose: 'client that signs users in at your OIDC provider',
    kind: 'required',
    consumers: ['oauth2-proxy'],
    whereToGet: 'register a web client (authorization code flow) at your OIDC provider, redirect URL https://oauth.<BASE_DOMAIN>/oauth2/callback; copy its client ID',
    fault: clientIdFault,
    generate: () => `rehearsal-${randomText(12)}`,
  },
  {
    key: 'OAUTH2_PROXY_CLIENT_SECRET',
    purpose: 'secret of that client',
    kind: 'required',
    consumers: ['oauth2-proxy'],
    whereToGet: 'shown by your OIDC provider next to the client ID, often once only; make a new one there when it is lost',
    fault: value => secretFault(value, { minimum: 8 }),
    generate: () => randomText(32),
  },
  {
    key: 'OAUTH2_PROXY_COOKIE_SECRET',
    purpose: 'encrypts session cookies; 16, 24 or 32 bytes',
    kind: 'generated',
    consumers: ['oauth2-proxy'],
    whereToGet: made,
    fault: cookieSecretFault,
    generate: () => randomText(32),
  },
  clickstackPassword('HYPERDX_API_KEY', "key of HyperDX's own telemetry"),
  clickstackPassword('CLICKHOUSE_PASSWORD', 'ClickHouse user of the collector'),
  clickstackPassword('CLICKHOUSE_APP_PASSWORD', 'ClickHouse user of HyperDX'),
  clickstackPassword('MONGODB_PASSWORD', 'MongoDB user of HyperDX'),
  clickstackPassword('EXPRESS_SESSION_SECRET', 'signs the sessions of HyperDX'),
  { ...clickstackPassword('OTLP_AUTH_TOKEN', 'lets collectors send telemetry to ClickStack'), consumers: ['clickstack', 'otel'] },
]

export const derivedInputs: readonly DerivedInput[] = [
  { key: 'OAUTH2_PROXY_CHECKSUM', purpose: 'rolls the pods of oauth2-proxy', kind: 'derived', consumer: 'oauth2-proxy' },
  { key: 'CLICKSTACK_CHECKSUM', purpose: 'rolls the pods of ClickStack', kind: 'derived', consumer: 'clickstack' },
  { key: 'OTEL_CHECKSUM', purpose: 'rolls the collectors', kind: 'derived', consumer: 'otel' },
]

/** Keys that `.env` and the process environment may set and that are no secret. */
export const settingKeys = ['KUBE_CONTEXT'] as const
/** Keys that `.env` and the process environment may set and that go into the source Secret. */
export const secretKeys: readonly string[] = valueInputs.map(({ key }) => key)

function clickstackPassword(key: string, purpose: string): ValueInput {
  return { key, purpose, kind: 'generated', consumers: ['clickstack'], whereToGet: made, fault: passwordFault, generate: () => randomText(32) }
}

/** @returns random text of A-Z a-z 0-9 - _ that starts with a letter: safe in a URL, in YAML and on a command line. */
function randomText(length: number): string {
  for (;;) {
    const text = randomBytes(length).toString('base64url').slice(0, length)
    if (/^[A-Za-z]/.test(text)) return text
  }
}
