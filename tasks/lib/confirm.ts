/** Asks before something is destroyed: the user types a name, not y. */
import { createInterface } from 'node:readline/promises'
import { hasCode, refusal } from './errors.ts'
import { say } from './output.ts'

/**
 * @param options.yes skips the question
 * @throws refusal without a terminal, and when another text was typed
 */
export async function confirmByName(name: string, options: { yes: boolean, command: string }): Promise<void> {
  if (options.yes) return
  if (process.stdin.isTTY !== true) throw refusal('this needs a yes', { why: 'there is no terminal to ask on', fix: `YES=1 ${options.command}` })
  const question = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await question.question(`type the context's name to go on (${name}): `).catch((error: unknown) => {
    // Ctrl-C and Ctrl-D are answers too
    if (!hasCode(error, 'ABORT_ERR')) throw error
    say('')
  }).finally(() => question.close())
  if (answer === undefined) throw refusal('nothing was removed', { why: 'the question was not answered', fix: options.command })
  if (answer.trim() !== name) throw refusal('nothing was removed', { why: `the answer was not ${name}`, fix: options.command })
}
