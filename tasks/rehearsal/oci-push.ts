/** Puts the packaged charts into the OCI registry, as `helm push` does; a registry that was restarted is empty. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'
import { hasCode } from '../lib/errors.ts'

const CONFIG = 'application/vnd.cncf.helm.config.v1+json'
const LAYER = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

interface ChartEntry { name: string, version: string, urls: string[] }

async function send(url: string, method: string, body: Uint8Array<ArrayBuffer> | string, type: string): Promise<void> {
  const response = await fetch(url, { method, body, headers: { 'content-type': type } })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
}

async function pushBlob(repository: string, mediaType: string, content: Uint8Array<ArrayBuffer>): Promise<{ mediaType: string, digest: string, size: number }> {
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
  await send(`${repository}/blobs/uploads/?digest=${digest}`, 'POST', content, 'application/octet-stream')
  return { mediaType, digest, size: content.byteLength }
}

async function pushChart(registry: string, entry: ChartEntry, archive: Uint8Array<ArrayBuffer>): Promise<void> {
  const repository = `${registry}/v2/${entry.name}`
  const { urls: _, ...metadata } = entry
  const config = await pushBlob(repository, CONFIG, Buffer.from(JSON.stringify(metadata)))
  const layer = await pushBlob(repository, LAYER, archive)
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] })
  // a tag cannot hold the + of build metadata
  await send(`${repository}/manifests/${entry.version.replaceAll('+', '_')}`, 'PUT', manifest, MANIFEST)
}

/** @param registry URL of the registry. @param folder archives with their index.yaml */
export async function pushCharts(registry: string, folder: string): Promise<void> {
  let text: string
  try {
    text = await readFile(path.join(folder, 'index.yaml'), 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  const index = parse(text) as { entries?: Record<string, ChartEntry[]> }
  for (const entry of Object.values(index.entries ?? {}).flat()) {
    await pushChart(registry, entry, await readFile(path.join(folder, path.basename(entry.urls[0] ?? ''))))
  }
}
