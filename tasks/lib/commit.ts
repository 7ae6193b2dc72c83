/** Which commit a task brings into the cluster. */
import { TaskError } from './errors.ts'
import { headCommit, publishHead, remoteBranchCommit } from './git.ts'
import { attention, doing } from './output.ts'
import { remoteFor, requirePushedHead, uncommittedWarning } from './preflight-git.ts'
import type { PlatformSettings } from './settings.ts'
import type { Target } from './target.ts'

/** @returns the artifact revision that Flux gives a commit: `branch@sha1:SHA`. */
export const revisionOf = (branch: string, commit: string): string => `${branch}@sha1:${commit}`

/**
 * Decides on the commit, HEAD, and refuses one that Flux could not read. Uncommitted changes are warned about.
 * @returns its SHA
 */
export async function chooseCommit(target: Target, settings: PlatformSettings): Promise<string> {
  const commit = target.named ? await requirePushedHead(settings, { anyRemote: target.rehearsal !== undefined }) : await headCommit()
  const warning = await uncommittedWarning()
  if (warning !== undefined) attention(warning)
  return commit
}

/** On a rehearsal cluster, whose Git server is its own, brings HEAD there; elsewhere the remote has it already. */
export async function publish(target: Target, settings: PlatformSettings, commit: string): Promise<void> {
  if (target.rehearsal === undefined) return
  doing(`publishing ${commit.slice(0, 12)} to the rehearsal's Git server`)
  await publishHead(target.rehearsal.gitRepository, settings.gitBranch)
}

/** @returns the commit that the branch which Flux reads has now, or undefined when that cannot be told. */
export async function newestCommit(target: Target, settings: PlatformSettings): Promise<string | undefined> {
  try {
    return await remoteBranchCommit(target.rehearsal?.gitRepository ?? await remoteFor(settings), settings.gitBranch)
  } catch (error) {
    // what was reconciled is there all the same
    if (error instanceof TaskError) return undefined
    throw error
  }
}
