/** Decides which commit a task means, and refuses before anything is touched when Flux could not see it. */
import { firstFew, refusal } from './errors.ts'
import { comparableUrl, compareWithHead, currentBranch, headCommit, remoteBranchCommit, remotes, uncommittedPaths } from './git.ts'
import type { PlatformSettings } from './settings.ts'

const SHOWN = 5

/** @returns a warning that names uncommitted changes, or undefined when there are none. */
export async function uncommittedWarning(): Promise<string | undefined> {
  const paths = await uncommittedPaths()
  if (paths.length === 0) return undefined
  return `uncommitted changes are not part of what Flux installs: ${firstFew(paths, { shown: SHOWN }).join(', ')}`
}

/** @returns the name of the remote that Flux reads. @throws refusal where there is none */
export async function remoteFor(settings: PlatformSettings): Promise<string> {
  const known = await remotes()
  const match = known.find(remote => comparableUrl(remote.url) === comparableUrl(settings.gitUrl))
  if (match) return match.name
  if (known.length === 0) {
    throw refusal('the repository has no Git remote', {
      why: `Flux reads ${settings.gitUrl}; a commit that is only here cannot reach the cluster`,
      fix: `git remote add origin ${settings.gitUrl} && git push -u origin ${settings.gitBranch}`,
    })
  }
  throw refusal('no Git remote of this checkout is the one that Flux reads', {
    where: 'clusters/home/platform-settings.yaml · GIT_URL',
    why: `GIT_URL is ${settings.gitUrl}; the checkout has ${known.map(remote => `${remote.name} ${remote.url}`).join(', ')}`,
    fix: 'set GIT_URL to the HTTPS URL of your fork, commit and push, then run the command again',
  })
}

const advice = {
  ahead: { what: 'HEAD is not pushed', fix: (remote: string, branch: string) => `git push ${remote} HEAD:${branch}` },
  behind: { what: 'HEAD is behind the remote branch', fix: (remote: string, branch: string) => `git pull --ff-only ${remote} ${branch}` },
  diverged: { what: 'HEAD and the remote branch have diverged', fix: (remote: string, branch: string) => `git pull --rebase ${remote} ${branch} && git push ${remote} HEAD:${branch}` },
}

/**
 * @param options.remote the remote Flux reads; found by GIT_URL when absent
 * @returns the SHA of HEAD, which is what the remote branch has. @throws refusal that says what to push or pull
 */
export async function requirePushedHead(settings: PlatformSettings, options: { anyRemote?: boolean } = {}): Promise<string> {
  const head = await headCommit()
  const branch = settings.gitBranch
  if (await currentBranch() === undefined) {
    throw refusal('HEAD is detached', { why: `Flux follows the branch ${branch}, and HEAD is on no branch`, fix: `git switch ${branch}` })
  }
  const remote = options.anyRemote === true ? (await firstRemote(settings)) : await remoteFor(settings)
  const commit = await remoteBranchCommit(remote, branch)
  if (commit === undefined) throw refusal(`the remote has no branch ${branch}`, { where: remote, fix: `git push -u ${remote} HEAD:${branch}` })
  const relation = await compareWithHead(commit)
  if (relation === 'same') return head
  const { what, fix } = advice[relation]
  throw refusal(what, { where: `${remote}/${branch}`, why: `HEAD is ${head.slice(0, 12)}, ${remote}/${branch} is ${commit.slice(0, 12)}`, fix: fix(remote, branch) })
}

async function firstRemote(settings: PlatformSettings): Promise<string> {
  const known = await remotes()
  const remote = known.find(one => one.name === 'origin') ?? known[0]
  return remote?.name ?? remoteFor(settings)
}
