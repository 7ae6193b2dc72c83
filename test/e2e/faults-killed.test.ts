/** Tasks that are killed in each of their phases: nothing is left running, and the same command again reaches its goal. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Api } from '../../tasks/lib/api.ts'
import { type Lab, closeLab, commitAll, openLab } from './support.ts'
import { expectNoneLeft, faultCases, makeStruck, recover, succeed, told } from './support-faults.ts'
import { difference, openApi, takeFullInventory } from './support-inventory.ts'
import { lookAtNeighbours, settleNeighbours } from './support-neighbours.ts'

const test = suite('killed')
const fault = faultCases(test, 'faults-killed')
type Ending = 'SIGKILL' | 'SIGTERM' | 'SIGINT'
let lab: Lab
let api: Api
let close = async () => {}
let before: string[] = []
let neighbours: unknown[] = []

/** Kills a task in a phase. @returns what it said about that: nothing, where it was given no time */
async function kill(target: string, at: string | RegExp, ending: Ending): Promise<string> {
  const result = await makeStruck(lab, target, { at, strike: signal => signal(ending) }, { YES: '1' })
  assert.is.not(result.code, 0, result.stderr)
  await expectNoneLeft(lab)
  if (ending !== 'SIGKILL') return told(result, `✗ interrupted by ${ending}`)
  assert.not.match(result.stderr, '✗ interrupted')
  return '(nothing: it had no time)'
}

async function expectClean(): Promise<void> {
  assert.equal(difference(before, await takeFullInventory(api)), [])
  assert.equal(await lookAtNeighbours(lab), neighbours)
}

test.before(async () => { lab = await openLab('e2e-killed') })
test.after(async () => {
  await close()
  await closeLab(lab)
})

fault('rehearsal-up killed while the cluster starts (SIGINT)', async () => {
  const words = await kill('rehearsal-up', '► starting rehearsal cluster', 'SIGINT')
  await succeed(lab, 'rehearsal-up')
  ;({ api, close } = await openApi(lab))
  await settleNeighbours(lab)
  before = await takeFullInventory(api)
  neighbours = await lookAtNeighbours(lab)
  return words
})

type Strike = [phase: string, at: string | RegExp, ending: Ending]
const installs: Strike[][] = [
  [['while it publishes', '► publishing', 'SIGINT']],
  [['while it applies Flux', /► Flux v/, 'SIGKILL'], ['while Flux reads the repository', '► GitRepository/flux-system/home', 'SIGTERM']],
  [['while the controllers come', '► HelmRelease/flux-system/cert-manager', 'SIGKILL'], ['while services and certificates come', '► HelmRelease/flux-system/clickstack ', 'SIGINT']],
]
const reconciles: Strike[][] = [
  [['while it publishes', '► publishing', 'SIGKILL']],
  [['while Flux fetches', '► GitRepository/flux-system/home', 'SIGTERM']],
  [['while layers are applied', '✔ Kustomization/flux-system/home', 'SIGINT'], ['while the last layers are applied', /✔ Kustomization\/flux-system\/(?!home)/, 'SIGKILL']],
]
const teardowns: Strike[][] = [
  [['before the first level', / objects, \d+ Helm releases/, 'SIGTERM'], ['in the first level', '► level 1', 'SIGKILL']],
  [['in the last level', /► level (\d+) of \1/, 'SIGINT']],
  [['while namespaces go', '► namespaces', 'SIGTERM'], ['while Flux goes', '► Flux', 'SIGKILL']],
]

/** Kills a task in one phase, and again in a later one where there is one. @returns what it said last */
async function killEach(target: string, strikes: Strike[]): Promise<string> {
  let words = ''
  for (const [, at, ending] of strikes) words = await kill(target, at, ending)
  return words
}

const nameOf = (target: string, strikes: Strike[]): string => `${target} killed ${strikes.map(([phase, , ending]) => `${phase} (${ending})`).join(', again ')}`

function tearDown(strikes: Strike[]): void {
  fault(nameOf('teardown', strikes), async () => {
    const words = await killEach('teardown', strikes)
    await succeed(lab, 'teardown', { YES: '1' })
    await expectNoneLeft(lab)
    await expectClean()
    return words
  })
}

for (const [index, install] of installs.entries()) {
  fault(nameOf('install', install), async () => {
    const words = await killEach('install', install)
    await recover(lab, 'install')
    return words
  })
  for (const reconcile of index === 0 ? reconciles : []) {
    fault(nameOf('reconcile', reconcile), async () => {
      await commitAll(lab, 'test: killed', { allowEmpty: true })
      const words = await killEach('flux-reconcile', reconcile)
      await recover(lab, 'flux-reconcile')
      return words
    })
  }
  tearDown(teardowns[index] ?? [])
}

test.run()
