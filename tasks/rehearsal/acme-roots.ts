/** What must follow when an ACME server starts: Pebble keeps everything in memory, so each start is a new authority without accounts. */
import { readFile, writeFile } from 'node:fs/promises'
import https from 'node:https'
import path from 'node:path'
import { type Api, list, request } from '../lib/api.ts'
import { hasCode } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'
import { ClusterIssuer, pathOf } from '../lib/resources.ts'

type Issuer = KubeObject<{ acme?: { server?: string } }, { acme?: { uri?: string } }>

function getText(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    https.get(url, { ca }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
      response.on('end', () => response.statusCode === 200 ? resolve(text) : reject(new Error(`${url}: HTTP ${response.statusCode ?? '?'}`)))
    }).on('error', reject)
  })
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    throw error
  }
}

/**
 * Adds the root that a Pebble made at its start to `<issuer>.pem`; the roots of earlier starts stay, for certificates issued then.
 * @param options.port its management port
 * @param options.ca PEM that its TLS certificate is signed by
 */
export async function saveRoot(options: { folder: string, issuer: string, port: number, ca: string }): Promise<void> {
  const pem = await getText(`https://127.0.0.1:${options.port}/roots/0`, options.ca)
  const file = path.join(options.folder, 'authorities', `${options.issuer}.pem`)
  const known = await readIfThere(file)
  if (!known.includes(pem)) await writeFile(file, known + pem)
}

/** Has cert-manager register again with a server that has lost its accounts: it skips that while the issuer's status names one. */
export async function forgetAccounts(api: Api, host: string): Promise<void> {
  const issuers = await list<Issuer>(api, ClusterIssuer)
  const registered = issuers.items.filter(({ spec, status }) => status?.acme?.uri !== undefined && spec?.acme?.server?.startsWith(`https://${host}/`))
  for (const issuer of registered) {
    await request(api, 'PATCH', `${pathOf(ClusterIssuer, { name: issuer.metadata.name })}/status`, { body: { status: { acme: { uri: '' } } }, contentType: 'application/merge-patch+json' })
  }
}
