/** Finds the programs that read manifests, best the very ones of the rehearsal. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { buildPrograms } from '../../tasks/rehearsal/build.ts'
import { programsFolder } from '../../tasks/rehearsal/paths.ts'
import { isBuilt, programsHash } from '../../tasks/rehearsal/programs.ts'
import { findGo } from '../../tasks/rehearsal/toolchain.ts'

const isOnPath = (program: string): boolean => (process.env.PATH ?? '').split(path.delimiter).some(folder => existsSync(path.join(folder, program)))

/** @returns the program that KUBECTL or HELM names, else the rehearsal's if it is built, else the one on PATH; else it is built now. */
export async function findProgram(name: 'kubectl' | 'helm'): Promise<string> {
  const named = process.env[name.toUpperCase()]
  if (named) return named
  const hash = await programsHash(await findGo())
  if (isBuilt(hash)) return path.join(programsFolder(hash), name)
  return isOnPath(name) ? name : path.join(await buildPrograms(), name)
}
