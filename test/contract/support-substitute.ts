/** Flux's strict post-build substitution, as far as the manifests use it. */

/** `$$`, or `${` with all up to the closing brace. */
const expression = /\$\$|\$\{([^}]*)\}/g

/** @returns the names of all variables that a text asks for, sorted; `${env:X}` unescaped counts as the variable `env:X`. */
export function variablesIn(text: string): string[] {
  const names = [...text.matchAll(expression)].flatMap(match => match[1] === undefined ? [] : [match[1]])
  return [...new Set(names)].sort()
}

/** @throws when a variable is not set, as Flux 2.9 does */
export function substitute(text: string, variables: Record<string, string>): string {
  return text.replace(expression, (whole, name?: string) => {
    if (whole === '$$' || name === undefined) return '$'
    const value = variables[name]
    if (value === undefined) throw new Error(`variable not set: ${name}`)
    return value
  })
}
