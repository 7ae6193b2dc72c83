/** The environment of programs that tasks start: everybody who may see the process can read it, so no secret is in it. */
import { secretKeys } from './inputs.ts'

/** @returns this process's environment without the runtime inputs, and `extra` on top. */
export function childEnvironment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...Object.fromEntries(Object.entries(process.env).filter(([key]) => !secretKeys.includes(key))), ...extra }
}
