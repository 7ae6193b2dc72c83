/**
 * @returns true when an on/off variable such as `DRY_RUN` is set. Anything but an empty text, 0, false or no counts as on, so that
 * `DRY_RUN=true` never changes anything.
 */
export function isFlagSet(environment: NodeJS.ProcessEnv, name: string): boolean {
  return !['', '0', 'false', 'no'].includes((environment[name] ?? '').trim().toLowerCase())
}
