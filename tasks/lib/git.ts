/** Owns git: what HEAD is, what the remote branch has, and publishing HEAD to the rehearsal's Git server. */
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { childEnvironment } from './child-environment.ts'
import { failure, hasCode, refusal } from './errors.ts'
import { repositoryRoot } from './repository.ts'

interface GitResult { code: number, stdout: string, stderr: string }

// Messages are matched in one place only, so they must be in one language; a password prompt would hang a task without a terminal.
const environment = childEnvironment({ LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0' })

function tryGit(args: string[], extra: Record<string, string> = {}): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { cwd: repositoryRoot, env: { ...environment, ...extra }, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => { stdout += chunk })
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => { stderr += chunk })
    child.on('error', error => reject(hasCode(error, 'ENOENT') ? refusal('git is not installed', { fix: 'install git, then run the command again' }) : error))
    child.on('close', code => resolve({ code: code ?? 1, stdout: stdout.trimEnd(), stderr: stderr.trim() }))
  })
}

async function git(...args: string[]): Promise<string> {
  const result = await tryGit(args)
  if (result.code === 0) return result.stdout
  throw failure(`git ${args[0] ?? ''} failed`, { where: repositoryRoot, why: result.stderr || result.stdout })
}

/** @returns the full SHA of HEAD. @throws refusal where there is no repository or no commit yet. */
export async function headCommit(): Promise<string> {
  const result = await tryGit(['rev-parse', '--verify', 'HEAD^{commit}'])
  if (result.code === 0) return result.stdout
  throw refusal('there is no commit to install', { where: repositoryRoot, why: result.stderr, fix: 'git init && git add -A && git commit -m "my homelab"' })
}

/** @returns the branch that HEAD is on, or undefined when it is detached. */
export async function currentBranch(): Promise<string | undefined> {
  const result = await tryGit(['symbolic-ref', '--quiet', '--short', 'HEAD'])
  return result.code === 0 ? result.stdout : undefined
}

/** @returns paths with changes that are not committed, untracked files included. */
export async function uncommittedPaths(): Promise<string[]> {
  const status = await git('status', '--porcelain=v1', '-z', '--untracked-files=normal')
  return status.split('\0').filter(entry => entry !== '').map(entry => entry.slice(3))
}

/** @returns remote names with their fetch URLs. */
export async function remotes(): Promise<{ name: string, url: string }[]> {
  const names = (await git('remote')).split('\n').filter(name => name !== '')
  return Promise.all(names.map(async name => ({ name, url: await git('remote', 'get-url', name) })))
}

/** @returns `git@host:me/homelab.git`, `ssh://git@host/me/homelab` and `https://host/me/homelab` alike as `host/me/homelab`. */
export function comparableUrl(url: string): string {
  const scp = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)(.+)$/.exec(url)
  const plain = scp ? `${scp[1]}/${scp[2]}` : url.replace(/^[a-z+]+:\/\/(?:[^@/]+@)?/i, '')
  return plain.replace(/:\d+\//, '/').replace(/(?:\.git)?\/*$/, '').toLowerCase()
}

/** Asks the remote itself, not the last fetch. @returns the SHA of its branch, or undefined when it has no such branch. */
export async function remoteBranchCommit(remote: string, branch: string): Promise<string | undefined> {
  const result = await tryGit(['ls-remote', '--heads', remote, `refs/heads/${branch}`])
  if (result.code === 0) return result.stdout.split(/\s/)[0] || undefined
  throw refusal(`the Git remote ${remote} cannot be read`, { why: result.stderr, fix: `git ls-remote ${remote}` })
}

/** @returns how HEAD stands to a commit of the remote branch. */
export async function compareWithHead(commit: string): Promise<'same' | 'ahead' | 'behind' | 'diverged'> {
  if (commit === await headCommit()) return 'same'
  const known = await tryGit(['cat-file', '-e', `${commit}^{commit}`])
  if (known.code !== 0) return 'behind'
  if ((await tryGit(['merge-base', '--is-ancestor', commit, 'HEAD'])).code === 0) return 'ahead'
  return (await tryGit(['merge-base', '--is-ancestor', 'HEAD', commit])).code === 0 ? 'behind' : 'diverged'
}

const PUSH_TRIES = 10
const PUSH_PAUSE_MS = 200

/** Pushes HEAD to a branch of a repository on this machine, replacing what was there: the rehearsal's copy follows the checkout. */
export async function publishHead(repository: string, branch: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await tryGit(['push', '--force', '--quiet', repository, `HEAD:refs/heads/${branch}`])
    if (result.code === 0) return
    // two tasks at once lock each other out for an instant
    if (attempt === PUSH_TRIES || !result.stderr.includes('cannot lock ref')) throw failure('git push failed', { where: repository, why: result.stderr })
    await pause(PUSH_PAUSE_MS)
  }
}

/** Writes the files of a commit into a folder, past the checkout, its index and its hooks. @returns false when the commit is not in this clone */
export async function exportCommit(commit: string, folder: string): Promise<boolean> {
  if ((await tryGit(['cat-file', '-e', `${commit}^{commit}`])).code !== 0) return false
  await mkdir(folder, { recursive: true })
  const result = await tryGit(['-c', 'core.hooksPath=/dev/null', '--work-tree', folder, 'checkout', commit, '--', '.'], { GIT_INDEX_FILE: `${folder}.index` })
  if (result.code === 0) return true
  throw failure('the commit cannot be read', { where: commit, why: result.stderr, fix: 'git fsck' })
}
