import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from '../../tasks/lib/repository.ts'
import { runProcess } from '../runner/process.ts'
import { addTotals, readTotals } from '../runner/totals.ts'

const fixture = (name: string, timeout = 30_000) =>
  runProcess([process.execPath, '--import', 'tsx', inRepository('test/unit/fixtures/runner', name)], { timeout, onLine: () => undefined })

const test = suite('runner')

const cases: [file: string, passed: number, failed: number, skipped: number, fault: RegExp | undefined][] = [
  ['two-suites.ts', 2, 2, 2, undefined],
  ['forgets-run.ts', 0, 1, 0, /ran no test/],
  ['exits-early.ts', 0, 1, 0, /no test failed/],
  ['throws-at-load.ts', 0, 1, 0, /ended with 1/],
]
for (const [file, passed, failed, skipped, fault] of cases) {
  test(`counts ${file}`, async () => {
    const { fault: said, ...totals } = readTotals(await fixture(file))
    assert.equal(totals, { passed, failed, skipped })
    if (fault === undefined) assert.is(said, undefined)
    else assert.match(said ?? '', fault)
  })
}

test('ends what takes too long', async () => {
  const started = Date.now()
  const ending = await fixture('hangs.ts', 1500)
  assert.ok(Date.now() - started < 10_000)
  assert.match(readTotals(ending).fault ?? '', /took too long/)
})

test('hides the user’s cluster from tests', async () => {
  process.env.KUBE_CONTEXT = 'production'
  const totals = readTotals(await fixture('reads-context.ts'))
  delete process.env.KUBE_CONTEXT
  assert.equal(totals, { passed: 1, failed: 0, skipped: 0 })
})

test('a program that is not there is a failure', async () => {
  const ending = await runProcess([path.join('/nowhere', 'x')], { timeout: 1000, onLine: () => undefined })
  assert.is(readTotals(ending).failed, 1)
})

test('reads coloured totals, and adds up', () => {
  const output = '\u001b[32m\n  Total:     3\u001b[39m\n\u001b[32m  Passed:    3\u001b[39m\n  Skipped:   \u001b[33m1\u001b[39m\n'.replace('\u001b[32m\n  Total', '\n  Total')
  assert.equal(readTotals({ status: 0, timedOut: false, output }), { passed: 3, failed: 0, skipped: 1 })
  assert.equal(addTotals([{ passed: 1, failed: 2, skipped: 3 }, { passed: 10, failed: 20, skipped: 30 }]), { passed: 11, failed: 22, skipped: 33 })
})

test.run()
