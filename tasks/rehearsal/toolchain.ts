/** Finds Go and says which one it is. */
import { execFile } from 'node:child_process'
import { failure, hasCode, messageOf, refusal } from '../lib/errors.ts'

/** Go ≥ this builds the rehearsal's programs. */
export const GO_MINIMUM = [1, 26] as const

export interface Toolchain {
  /** e.g. `go1.26.8` */
  version: string
  /** e.g. `linux/amd64` */
  platform: string
}

/** @returns whether a GOVERSION such as `go1.26.8` or `go1.27rc1` is new enough; undefined for text that is none. */
export function isNewEnough(version: string): boolean | undefined {
  const match = /^(?:devel )?go(\d+)\.(\d+)/.exec(version)
  if (match === null) return undefined
  const [major, minor] = [Number(match[1]), Number(match[2])]
  return major > GO_MINIMUM[0] || (major === GO_MINIMUM[0] && minor >= GO_MINIMUM[1])
}

const howToInstall = 'install Go ≥ 1.26 (https://go.dev/doc/install), or set KUBE_CONTEXT in .env to use a cluster of your own'

function goEnv(): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, GOTOOLCHAIN: 'local' }
    execFile('go', ['env', '-json', 'GOVERSION', 'GOOS', 'GOARCH'], { env }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      if (hasCode(error, 'ENOENT')) return reject(refusal('Go is not installed', { why: 'the rehearsal cluster is built from source once', fix: howToInstall }))
      reject(failure('Go does not answer', { where: 'go env', why: stderr.trim() || messageOf(error), fix: howToInstall }))
    })
  })
}

/** @throws refusal when Go is missing or too old */
export async function findGo(): Promise<Toolchain> {
  const { GOVERSION = '', GOOS = '', GOARCH = '' } = JSON.parse(await goEnv()) as Record<string, string>
  if (isNewEnough(GOVERSION) !== false) return { version: GOVERSION, platform: `${GOOS}/${GOARCH}` }
  throw refusal(`Go ${GOVERSION.replace('go', '')} is too old for the rehearsal cluster`, { where: 'the go on PATH', why: `it needs ${GO_MINIMUM.join('.')} or newer`, fix: howToInstall })
}
