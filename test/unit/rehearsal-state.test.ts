import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { quote, shellEnvironment } from '../../tasks/rehearsal/environment.ts'
import { findInstanceByServer, readInstance } from '../../tasks/rehearsal/instance.ts'
import { parseHolder, withLock } from '../../tasks/rehearsal/lock.ts'
import { homelabHome, instanceFolder, instanceName } from '../../tasks/rehearsal/paths.ts'
import { type Ports, findPorts, portNames } from '../../tasks/rehearsal/ports.ts'
import { endProcess, isAlive, parseStat, refOfProcess } from '../../tasks/rehearsal/processes.ts'
import { type RehearsalState, readState, writeState } from '../../tasks/rehearsal/state.ts'

const test = suite('rehearsal: instances')
const before = process.env.HOMELAB_HOME
let home = ''
test.before.each(() => {
  home = mkdtempSync(path.join(tmpdir(), 'homelab-test-'))
  process.env.HOMELAB_HOME = home
})
test.after.each(() => {
  rmSync(home, { recursive: true, force: true })
  if (before === undefined) delete process.env.HOMELAB_HOME
  else process.env.HOMELAB_HOME = before
})

const ports = Object.fromEntries(portNames.map((name, index) => [name, 40_000 + index])) as Ports
async function write(change: Partial<RehearsalState>): Promise<void> {
  const state = { name: 'one', phase: 'ready' as const, supervisor: await refOfProcess(process.pid), programs: '/programs', ports, children: {}, ...change }
  await mkdir(instanceFolder('one'), { recursive: true })
  await writeState(instanceFolder('one'), state)
}

test('finds a running instance by its name and by its API server', async () => {
  await write({})
  const instance = await readInstance('one')
  assert.is(instance?.context, 'rehearsal-one')
  assert.is(instance?.kubeconfig, path.join(home, 'rehearsal', 'one', 'kubeconfig'))
  assert.equal(await findInstanceByServer(`https://127.0.0.1:${ports.apiserver}`), instance)
  assert.equal(await findInstanceByServer(`https://localhost:${ports.apiserver}/`), instance)
  assert.is(await findInstanceByServer('https://127.0.0.1:1'), undefined)
})
test('a state file whose process id now belongs to another process is no instance', async () => {
  await write({ supervisor: { pid: process.pid, started: '1' } })
  assert.is(await readInstance('one'), undefined)
})
test('a state file whose process is gone is no instance', async () => {
  const child = spawn('sleep', ['60'])
  const ref = await refOfProcess(child.pid ?? 0)
  assert.ok(await isAlive(ref))
  await endProcess(ref, 1000)
  await write({ supervisor: ref })
  assert.is(await readInstance('one'), undefined)
})
test('an instance that is still starting cannot be used yet', async () => {
  await write({ phase: 'starting' })
  assert.is(await readInstance('one'), undefined)
})
test('a state file that was cut short by a full disk is no instance', async () => {
  await mkdir(instanceFolder('one'), { recursive: true })
  await writeFile(path.join(instanceFolder('one'), 'state.json'), '{"name": "one", "superv')
  assert.is(await readState(instanceFolder('one')), undefined)
})
test('the state is for its owner only', async () => {
  await write({})
  assert.is((await stat(path.join(instanceFolder('one'), 'state.json'))).mode & 0o777, 0o600)
})

test('a process is not ended for another one with its id', async () => {
  const child = spawn('sleep', ['60'])
  await endProcess({ pid: child.pid ?? 0, started: 'long ago' }, 100)
  assert.is(child.exitCode ?? child.signalCode, null)
  child.kill()
})
test('reads the start time after a name with spaces and parentheses; a zombie has none', () => {
  const rest = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(' ')
  assert.is(parseStat(`12 (tmux: (1) x) S ${rest}`), '22')
  assert.is(parseStat(`12 (x) Z ${rest}`), undefined)
})

test('a lock left behind by a process that is gone is taken over', async () => {
  const file = path.join(home, 'x.lock')
  await writeFile(file, '999999 1')
  assert.is(await withLock(file, () => assert.unreachable('nobody holds it'), async () => 'done'), 'done')
})
test('of two at once, one waits for the other and says so', async () => {
  const file = path.join(home, 'x.lock')
  const order: string[] = []
  const first = withLock(file, () => order.push('?'), async () => {
    await pause(150)
    order.push('first')
  })
  await pause(30)
  await withLock(file, () => order.push('waits'), async () => { order.push('second') })
  await first
  assert.equal(order, ['waits', 'first', 'second'])
})
test('a holder is a process id and a start time', () => {
  assert.equal(parseHolder('12 Sun Nov 22'), { pid: 12, started: 'Sun Nov 22' })
  assert.is(parseHolder(''), undefined)
})

test('ports are free, distinct, and kept from the last start where they can be', async () => {
  const first = await findPorts()
  assert.is(new Set(Object.values(first)).size, portNames.length)
  assert.equal(await findPorts(first), first)
  const taken = net.createServer()
  await new Promise<void>(resolve => { taken.listen(first.apiserver, '127.0.0.1', () => resolve()) })
  const second = await findPorts(first)
  taken.close()
  assert.is.not(second.apiserver, first.apiserver)
  assert.is(second.etcd, first.etcd)
})

const names: [string | undefined, string | undefined][] = [[undefined, 'default'], ['', 'default'], ['try-1', 'try-1'], ['../x', undefined], ['A', undefined], ['a'.repeat(21), undefined]]
for (const [name, expected] of names) {
  test(`REHEARSAL=${name} means ${expected ?? 'a refusal'}`, () => {
    const env = name === undefined ? {} : { REHEARSAL: name }
    if (expected === undefined) assert.throws(() => instanceName(env), /is not a name/)
    else assert.is(instanceName(env), expected)
  })
}
test('HOMELAB_HOME is in the cache folder unless it is set', () => {
  assert.is(homelabHome({ XDG_CACHE_HOME: '/c' }), '/c/homelab')
  assert.is(homelabHome({ HOMELAB_HOME: '/h', XDG_CACHE_HOME: '/c' }), '/h')
  assert.match(homelabHome({}), /\/\.cache\/homelab$/)
})

test('env prints one line that a shell reads back, whatever the path holds', () => {
  assert.is(quote("it's $HOME"), "'it'\\''s $HOME'")
  const line = shellEnvironment({ kubeconfig: '/a b/kubeconfig', folder: '/a b' })
  assert.is(line, `export KUBECONFIG='/a b/kubeconfig' PATH='/a b/bin':"$PATH"`)
})

test.run()
