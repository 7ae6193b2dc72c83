/** Which variables a text asks for. */

/** `$$`, or `${` with all up to the closing brace. */
const expression = /\$\$|\$\{([^}]*)\}/g

/** @returns the names of all variables that a text asks for, sorted; `${env:X}` unescaped counts as the variable `env:X`. */
export function variablesIn(text: string): string[] {
  const names = [...text.matchAll(expression)].flatMap(match => match[1] === undefined ? [] : [match[1]])
  return [...new Set(names)].sort()
}
