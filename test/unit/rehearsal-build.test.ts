import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { goFailure } from '../../tasks/rehearsal/go.ts'
import { expectedDuration, progressLine, remaining, timeShare } from '../../tasks/rehearsal/progress.ts'
import { isNewEnough } from '../../tasks/rehearsal/toolchain.ts'

const test = suite('rehearsal: build')

const versions: [string, boolean | undefined][] = [
  ['go1.26.0', true], ['go1.26rc1', true], ['go1.27.3', true], ['go2.0', true], ['devel go1.27-abc', true],
  ['go1.25.9', false], ['go1.9', false], ['', undefined],
]
for (const [version, expected] of versions) test(`Go "${version}" is new enough: ${expected}`, () => assert.is(isNewEnough(version), expected))

test('the share of time grows with the share of packages, and leaves some for linking', () => {
  assert.is(timeShare(0), 0)
  assert.ok(timeShare(1) > 0.9 && timeShare(1) < 1)
  let last = 0
  for (let at = 0; at <= 1; at += 0.01) {
    const share = timeShare(at)
    assert.ok(share >= last && share <= 1)
    last = share
  }
})

const position = { done: 0, total: 4000, kept: 0, spent: 0, cores: 2 }
test('expects the recorded duration at first, less on more cores', () => {
  assert.is(remaining(position), expectedDuration(2))
  assert.is(expectedDuration(8), expectedDuration(2) / 4)
})
test("follows this machine's own pace later", () => {
  const spent = 3 * expectedDuration(2) * timeShare(0.9)
  assert.ok(remaining({ ...position, done: 3600, spent }) > 1.9 * remaining({ ...position, done: 3600, spent: spent / 3 }))
})
test('does not count what an interrupted build had done as speed', () => {
  const fresh = remaining({ ...position, done: 2400, kept: 2000, spent: 60_000 })
  const wrong = remaining({ ...position, done: 2400, spent: 60_000 })
  assert.ok(fresh > wrong)
})
test('still expects to link after the last package', () => {
  assert.ok(remaining({ ...position, done: 4000, spent: 400_000 }) > 20_000)
  assert.match(progressLine({ ...position, done: 4000, spent: 400_000 }), /^linking: /)
})
test('says packages, time and what is left', () => {
  assert.match(progressLine({ ...position, done: 1000, spent: 61_000 }), /^compiling: 1000 of 4000 packages · 1m01s · about \d+ min left$/)
  assert.match(progressLine({ ...position, done: 3999, spent: 400_000 }), /about \d+ s left$/)
})

const faults: [string, string, RegExp][] = [
  ['disk full', 'compile: writing output: write $WORK/b001/_pkg_.a: no space left on device', /the disk is full/],
  ['no network', 'go: k8s.io/api@v0.36.3: Get "https://example.com/mod": dial tcp: lookup example.com: no such host', /cannot be downloaded/],
  ['does not compile', './main.go:3:1: undefined: x', /do not compile/],
]
for (const [name, line, expected] of faults) {
  test(`names the fault: ${name}`, () => {
    const error = goFailure(['# rehearsal/pki', line])
    assert.match(error.message, expected)
    assert.match(error.details.why ?? '', line)
    assert.is(error.exitCode, 1)
    assert.match(error.details.fix ?? '', 'make rehearsal-up')
  })
}
test('keeps the last lines only', () => {
  const error = goFailure(Array.from({ length: 100 }, (_, index) => `x.go:${index}: fault`))
  assert.is(error.details.why?.split('\n').length, 15)
  assert.match(error.details.why ?? '', 'x.go:99: fault')
})

test.run()
