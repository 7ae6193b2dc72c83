import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readManifest, replaceManifest } from '../../tasks/lib/manifest-file.ts'
import { repositoryRoot } from '../../tasks/lib/repository.ts'
import { oneLineDiff } from '../../tasks/lib/unified-diff.ts'

const test = suite<{ folder: string; file: string; fromRoot: string }>('manifest-file')

test.before.each(context => {
  context.folder = mkdtempSync(path.join(os.tmpdir(), 'homelab-file-'))
  context.file = path.join(context.folder, 'a.yaml')
  context.fromRoot = path.relative(repositoryRoot, context.file)
  writeFileSync(context.file, 'before\n')
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }))

test('keeps byte order mark and line ends', ({ file, fromRoot }) => {
  const bytes = Buffer.from('\uFEFFa: é😀\r\nb: c')
  writeFileSync(file, bytes)
  const text = readManifest(fromRoot)
  replaceManifest(fromRoot, { before: text, after: text })
  assert.ok(readFileSync(file).equals(bytes))
})

for (const mode of [0o600, 0o644, 0o664, 0o755]) {
  test(`keeps mode ${mode.toString(8)} whatever the umask`, ({ file, fromRoot }) => {
    chmodSync(file, mode)
    replaceManifest(fromRoot, { before: 'before\n', after: 'after\n' })
    assert.equal([statSync(file).mode & 0o777, readFileSync(file, 'utf8')], [mode, 'after\n'])
  })
}

test('notices a change between reading and writing, and keeps that change', ({ folder, file, fromRoot }) => {
  writeFileSync(file, 'somebody else\n')
  assert.throws(() => replaceManifest(fromRoot, { before: 'before\n', after: 'after\n' }), /changed by someone else/)
  assert.equal([readFileSync(file, 'utf8'), readdirSync(folder)], ['somebody else\n', ['a.yaml']])
})

test('a temporary file of a killed run is named, not overwritten', ({ folder, file, fromRoot }) => {
  const left = path.join(folder, `.a.yaml.${process.pid}.tmp`)
  writeFileSync(left, 'x')
  assert.throws(() => replaceManifest(fromRoot, { before: 'before\n', after: 'after\n' }), /in the way/)
  assert.equal([readFileSync(file, 'utf8'), readFileSync(left, 'utf8')], ['before\n', 'x'])
})

test('says why a folder can’t be read as a file', ({ folder }) => {
  mkdirSync(path.join(folder, 'd'))
  assert.throws(() => readManifest(path.relative(repositoryRoot, path.join(folder, 'd'))), /can not be read/)
})

const texts: [name: string, before: string, after: string][] = [
  ['first line', 'a\nb\nc\nd\ne\nf\n', 'A\nb\nc\nd\ne\nf\n'],
  ['middle', 'a\nb\nc\nd\ne\nf\ng\nh\ni\n', 'a\nb\nc\nd\nE\nf\ng\nh\ni\n'],
  ['last line', 'a\nb\nc\nd\ne\n', 'a\nb\nc\nd\nE\n'],
  ['last line without end', 'a\nb\nc\nd\ne', 'a\nb\nc\nd\nE'],
  ['line before one without end', 'a\nb', 'A\nb'],
  ['only line', 'a', 'A'],
  ['CRLF', 'a\r\nb\r\nc\r\n', 'a\r\nB\r\nc\r\n'],
]
for (const [name, before, after] of texts) {
  test(`prints a diff that git applies: ${name}`, ({ folder, file }) => {
    writeFileSync(file, before)
    writeFileSync(path.join(folder, 'x.diff'), oneLineDiff(before, after, { file: 'a.yaml' }))
    execFileSync('git', ['apply', '--whitespace=nowarn', 'x.diff'], { cwd: folder })
    assert.is(readFileSync(file, 'utf8'), after)
  })
}

test.run()
