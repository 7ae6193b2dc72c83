export async function prepareWorld(programs: string): Promise<string> {
  return `${programs}/world`
}
