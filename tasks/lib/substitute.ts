/** Flux's strict post-build substitution (fluxcd/pkg/envsubst 1.7): variables, their defaults and escapes; its string functions are refused. */

/** `$$`, or `${` with all up to the closing brace. */
const expression = /\$\$|\$\{([^}]*)\}/g
const variable = /^([A-Za-z_]\w*)(?:(:?)[-=]([\s\S]*))?$/
const DISABLED = /^ {4}kustomize\.toolkit\.fluxcd\.io\/substitute: ["']?disabled["']?$/m

function valueOf(inside: string, variables: Readonly<Record<string, string>>): string {
  const [, name = inside, colon, fallback] = variable.exec(inside) ?? []
  const value = variables[name]
  if (value !== undefined && (value !== '' || colon !== ':')) return value
  if (fallback === undefined && value === undefined) throw new Error(`variable not set: ${name}`)
  if (fallback?.includes('${') === true) throw new Error(`a default within a default: \${${inside}`)
  return fallback ?? ''
}

/** @throws when a variable is not set and has no default, as Flux 2.9 does */
export function substitute(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(expression, (whole, inside?: string) => (whole === '$$' || inside === undefined ? '$' : valueOf(inside, variables)))
}

/** @param text what Kustomize built. @returns it substituted, but for the objects that ask to be left alone */
export function substituteObjects(text: string, variables: Readonly<Record<string, string>>): string {
  return text.split(/^---$/m).map(one => (DISABLED.test(one) ? one : substitute(one, variables))).join('---')
}
