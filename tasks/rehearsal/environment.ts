/** The shell code that `make -s rehearsal-env` prints. */
import path from 'node:path'
import type { Instance } from './instance.ts'

/** @returns a word that a POSIX shell reads as exactly this text. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** @returns one line for `eval`: KUBECONFIG, and PATH with the rehearsal's own kubectl and helm first. */
export function shellEnvironment(instance: Pick<Instance, 'kubeconfig' | 'folder'>): string {
  return `export KUBECONFIG=${quote(instance.kubeconfig)} PATH=${quote(path.join(instance.folder, 'bin'))}:"$PATH"`
}
