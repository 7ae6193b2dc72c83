/** Asks the ACME servers for their roots: what a proof of a certificate's signer compares with. */
import { writeFile } from 'node:fs/promises'
import https from 'node:https'
import path from 'node:path'

function getText(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    https.get(url, { ca }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
      response.on('end', () => response.statusCode === 200 ? resolve(text) : reject(new Error(`${url}: HTTP ${response.statusCode ?? '?'}`)))
    }).on('error', reject)
  })
}

/** Writes `<issuer>.pem` with the root that a Pebble made at its start. @param port its management port. @param ca PEM that its TLS certificate is signed by */
export async function saveRoot(options: { folder: string, issuer: string, port: number, ca: string }): Promise<void> {
  const pem = await getText(`https://127.0.0.1:${options.port}/roots/0`, options.ca)
  await writeFile(path.join(options.folder, 'authorities', `${options.issuer}.pem`), pem)
}
