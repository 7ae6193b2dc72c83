import { readFileSync, writeFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readEnvFile } from '../../tasks/lib/env-file.ts'
import { renderEnvExample, renderInputsTable } from '../../tasks/lib/input-report.ts'
import { inRepository } from '../../tasks/lib/repository.ts'

const files: [file: string, expected: string][] = [['.env.example', renderEnvExample()], ['docs/runtime-inputs.md', renderInputsTable()]]
if (process.env.UPDATE === '1') for (const [file, text] of files) writeFileSync(inRepository(file), text)

const test = suite('inputs-files')

for (const [file, expected] of files) {
  test(`${file} says what the contract says`, () => {
    assert.fixture(readFileSync(inRepository(file), 'utf8'), expected, 'run: UPDATE=1 node --import tsx test/unit/inputs-files.test.ts')
  })
}

test('.env.example is a valid .env that gives nothing', () => {
  const values = readEnvFile({ file: '.env.example', text: renderEnvExample() })
  assert.equal(values, { KUBE_CONTEXT: '', OAUTH2_PROXY_CLIENT_ID: '', OAUTH2_PROXY_CLIENT_SECRET: '' })
})

test.run()
