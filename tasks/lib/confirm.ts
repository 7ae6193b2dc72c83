/** Asks before something is destroyed: the user types a name, not y. */
import { createInterface } from 'node:readline/promises'
import { refusal } from './errors.ts'

/**
 * @param options.yes skips the question
 * @throws refusal without a terminal, and when another text was typed
 */
export async function confirmByName(name: string, options: { yes: boolean, command: string }): Promise<void> {
  if (options.yes) return
  if (process.stdin.isTTY !== true) throw refusal('this needs a yes', { why: 'there is no terminal to ask on', fix: `YES=1 ${options.command}` })
  const question = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await question.question(`type the context's name to go on (${name}): `).finally(() => question.close())
  if (answer.trim() !== name) throw refusal('nothing was removed', { why: `the answer was not ${name}`, fix: options.command })
}
