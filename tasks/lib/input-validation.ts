/**
 * Why a runtime input can't be used. No text here repeats any part of a value. Values pass through Flux's substitution, YAML in double
 * quotes and Helm's tpl, and some end up in a connection URL: what would change there is refused here.
 */
const placeholder =
  /^(<.*>|\[.*\]|\{.*\}|\.{2,}|\*+|x{3,}|your([-_.].*)?|example([-_.].*)?|todo.*|tbd|fixme|dummy|test|foo|bar|secret|password|changeit|none|null|undefined|true|false)$|change[-_]?me|replace[-_]?(me|this)|place[-_]?holder|insert[-_]?here/i

/** @returns the fault that rules a value out whatever its key, or undefined. */
function commonFault(value: string): string | undefined {
  if (value === '') return 'is empty'
  if (/[\r\n]/.test(value)) return 'holds a line break'
  if (/\s/.test(value)) return 'holds white space'
  if (placeholder.test(value)) return 'is a placeholder, not a value'
  if (/["'`\\$]/.test(value)) return 'holds a quote, a backslash or "$", which would not survive YAML and Flux substitution'
  if (value.includes('{{')) return 'holds "{{", which Helm would run as a template'
  if (!/^[\x21-\x7e]+$/.test(value)) return 'holds a character that is not printable ASCII'
  return undefined
}

/** @param options.minimum least number of characters. */
export function secretFault(value: string, options: { minimum: number }): string | undefined {
  const fault = commonFault(value)
  if (fault !== undefined) return fault
  if (value.length < options.minimum) return `has ${value.length} characters, at least ${options.minimum} are needed`
  if (new Set(value).size < 5) return 'repeats fewer than 5 different characters, so it can be guessed'
  return undefined
}

export function clientIdFault(value: string): string | undefined {
  const fault = commonFault(value)
  if (fault !== undefined) return fault
  if (value.includes('://')) return 'is a URL; the client ID is a plain name or number'
  if (value.length < 3 || value.length > 255) return `has ${value.length} characters, a client ID has 3 to 255`
  return undefined
}

/** oauth2-proxy takes AES keys only (pkg/validation/cookie.go of v7.15.3). */
export function cookieSecretFault(value: string): string | undefined {
  const bytes = Buffer.byteLength(value)
  const command = 'openssl rand -hex 16'
  const fault = secretFault(value, { minimum: 0 })
  if (fault !== undefined) return fault
  if (bytes === 44) return `has 44 bytes, as \`openssl rand -base64 32\` prints; 16, 24 or 32 are needed: \`${command}\` prints 32`
  if (![16, 24, 32].includes(bytes)) return `has ${bytes} bytes, 16, 24 or 32 are needed: \`${command}\` prints 32`
  return undefined
}

/** Passwords become part of connection URLs, which are not escaped. */
export function passwordFault(value: string): string | undefined {
  const fault = secretFault(value, { minimum: 16 })
  if (fault !== undefined) return fault
  if (!/^[A-Za-z0-9._~-]+$/.test(value)) return 'holds a character that is not safe in a URL; use A-Z a-z 0-9 . _ ~ -'
  if (!/^[A-Za-z]/.test(value)) return 'does not start with a letter'
  return undefined
}
