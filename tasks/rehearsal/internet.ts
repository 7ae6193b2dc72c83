/**
 * The rehearsal's outside world: an HTTP proxy on loopback that answers for a few names and refuses every other. Controllers reach it through
 * HTTP_PROXY, so manifests hold names and no ports.
 */
import { createReadStream, existsSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import { type Api, list } from '../lib/api.ts'
import { messageOf } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'
import { Challenge } from '../lib/resources.ts'
import { FLUX_VERSION } from './flux-controllers.ts'
import { serveGit } from './git-server.ts'
import type { Ports } from './ports.ts'

export interface InternetOptions {
  folder: string
  world: string
  ports: Ports
  api: Api
}

interface Exchange { url: URL, request: http.IncomingMessage, response: http.ServerResponse }
type Answer = (options: InternetOptions, exchange: Exchange) => void | Promise<void>

const CHALLENGE_PATH = '/.well-known/acme-challenge/'

function say(response: http.ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`)
}

function sendFile(file: string, { response, url }: Exchange): void {
  if (!existsSync(file)) return say(response, 404, `${url.host} has no ${url.pathname}`)
  response.writeHead(200, { 'content-type': file.endsWith('.tgz') ? 'application/gzip' : 'text/yaml' })
  createReadStream(file).pipe(response)
}

/** Reads from the OCI registry pass; nobody pushes through here. */
function passToRegistry({ ports }: InternetOptions, { url, request, response }: Exchange): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(response, 405, 'read only')
  const onward = http.request({ host: '127.0.0.1', port: ports.registry, method: request.method, path: url.pathname + url.search, headers: { ...request.headers, host: url.host } }, answer => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', error => response.headersSent ? response.destroy() : say(response, 502, `the OCI registry does not answer: ${error.message}`))
  onward.end()
}

const answers: Record<string, Answer> = {
  'git.rehearsal.internal': ({ folder }, { url, request, response }) => serveGit(path.join(folder, 'git'), url, request, response),
  'flux.rehearsal.internal': ({ world }, exchange) => {
    const known = exchange.url.pathname === `/${FLUX_VERSION}/install.yaml`
    return known ? sendFile(path.join(world, 'install.yaml'), exchange) : say(exchange.response, 404, `the rehearsal has Flux ${FLUX_VERSION} only`)
  },
  'charts.rehearsal.internal': (options, exchange) => {
    const { pathname } = exchange.url
    if (pathname.startsWith('/v2/')) return passToRegistry(options, exchange)
    if (pathname.startsWith('/helm/')) return sendFile(path.join(options.world, 'charts', path.basename(pathname)), exchange)
    return say(exchange.response, 404, `charts.rehearsal.internal has no ${pathname}`)
  },
}

/** cert-manager asks for the public name before it lets the ACME server ask: answered from the Challenge, as its solver pod would. */
const answerSelfCheck: Answer = async ({ api }, { url, response }) => {
  const token = url.pathname.slice(CHALLENGE_PATH.length)
  const challenges = await list<KubeObject<{ token?: string, key?: string, dnsName?: string }>>(api, Challenge)
  const found = challenges.items.find(({ spec }) => spec?.token === token && spec.dnsName === url.hostname)
  if (found?.spec?.key === undefined) return say(response, 404, `no Challenge has this token for ${url.hostname}`)
  response.writeHead(200, { 'content-type': 'text/plain' }).end(found.spec.key)
}

/** A file outages/<host> in the instance's folder makes that host fail: for rehearsing an outage. */
const isOut = (options: InternetOptions, host: string): boolean => existsSync(path.join(options.folder, 'outages', path.basename(host)))

async function answer(options: InternetOptions, exchange: Exchange): Promise<void> {
  const { url, response } = exchange
  if (isOut(options, url.hostname)) return say(response, 503, `${url.hostname} has an outage (outages/${url.hostname} in the instance's folder)`)
  const known = answers[url.hostname]
  if (known !== undefined) return known(options, exchange)
  if (url.pathname.startsWith(CHALLENGE_PATH)) return answerSelfCheck(options, exchange)
  say(response, 502, `the rehearsal's outside world has no ${url.hostname}: it knows ${Object.keys(answers).join(', ')}`)
}

function onRequest(options: InternetOptions, request: http.IncomingMessage, response: http.ServerResponse): void {
  const target = request.url ?? ''
  if (!/^http:\/\//.test(target) || !URL.canParse(target)) return say(response, 400, 'this is an HTTP proxy: set HTTP_PROXY to its address')
  answer(options, { url: new URL(target), request, response }).catch((error: unknown) => {
    if (response.headersSent) response.destroy()
    else say(response, 502, messageOf(error))
  })
}

function onConnect(options: InternetOptions, target: string, socket: Duplex): void {
  const ports: Record<string, number> = { 'acme-staging.rehearsal.internal:443': options.ports.acmeStaging, 'acme-prod.rehearsal.internal:443': options.ports.acmeProd }
  const port = ports[target]
  socket.on('error', () => socket.destroy())
  if (port === undefined || isOut(options, target.replace(/:\d+$/, ''))) {
    return void socket.end(`HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\n\r\nthe rehearsal's outside world has no ${target}\n`)
  }
  const onward = net.connect(port, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    onward.pipe(socket)
    socket.pipe(onward)
  })
  onward.on('error', () => socket.destroy())
  socket.on('close', () => onward.destroy())
}

/** @returns the proxy's server once it listens. */
export async function startInternet(options: InternetOptions): Promise<http.Server> {
  const server = http.createServer((request, response) => onRequest(options, request, response))
  server.on('connect', (request, socket) => onConnect(options, request.url ?? '', socket))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.ports.internet, '127.0.0.1', resolve)
  })
  return server
}
