/** Reads a manifest of the checkout, and replaces it in one step: at any moment it is wholly the old file or wholly the new one. */
import fs from 'node:fs'
import path from 'node:path'
import { failure, hasCode, messageOf, refusal } from './errors.ts'
import { inRepository } from './repository.ts'

/**
 * @param file path from the repository's root.
 * @returns the file's text; a byte order mark stays part of it.
 * @throws TaskError (exit 2) when it is missing, no file, or not UTF-8.
 */
export function readManifest(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fs.readFileSync(inRepository(file)))
  } catch (error) {
    const fix = `git status -- ${file}`
    if (hasCode(error, 'ENOENT')) throw refusal(`${file} is missing`, { where: `${file}:1`, fix: `git checkout -- ${file}` })
    if (hasCode(error, 'ERR_ENCODING_INVALID_ENCODED_DATA')) throw refusal(`${file} is not UTF-8 text`, { where: `${file}:1`, fix })
    throw refusal(`${file} can not be read`, { where: `${file}:1`, why: messageOf(error), fix })
  }
}

/**
 * Writes `after` to a temporary file in the same folder and renames it over the old one. Mode and owner stay; a link stays a link.
 * @throws TaskError (exit 1) when the file no longer holds `before`, or can't be written; it is then untouched.
 */
export function replaceManifest(file: string, texts: { before: string; after: string }): void {
  const target = fs.realpathSync(inRepository(file))
  const temporary = path.join(path.dirname(target), `.${path.basename(target)}.${process.pid}.tmp`)
  try {
    fs.accessSync(target, fs.constants.W_OK)
    writeTemporary(temporary, { text: texts.after, like: fs.statSync(target) })
    if (fs.readFileSync(target, 'utf8') !== texts.before) {
      throw failure(`${file} was changed by someone else in this moment`, { where: file, why: 'nothing was written', fix: `git diff -- ${file}` })
    }
    fs.renameSync(temporary, target)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw failure(`${temporary} is in the way`, { where: temporary, why: 'an earlier run was killed', fix: `rm ${temporary}` })
    fs.rmSync(temporary, { force: true })
    if (error instanceof Error && !('code' in error)) throw error
    throw failure(`${file} can not be written`, { where: target, why: messageOf(error), fix: `ls -ld ${path.dirname(target)} ${target}; df ${path.dirname(target)}` })
  }
}

function writeTemporary(temporary: string, content: { text: string; like: fs.Stats }): void {
  const { mode, uid, gid } = content.like
  const handle = fs.openSync(temporary, 'wx', mode)
  try {
    fs.writeFileSync(handle, content.text)
    fs.fchmodSync(handle, mode)
    if (process.getuid?.() === 0) fs.fchownSync(handle, uid, gid)
    fs.fsyncSync(handle)
  } finally {
    fs.closeSync(handle)
  }
}
