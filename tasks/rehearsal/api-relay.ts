/** Lets the supervisor's own code use lib/api.ts: a Unix socket in the instance's private folder that leads to the API server with its token. */
import http from 'node:http'
import https from 'node:https'
import { type Api, connectApi } from '../lib/api.ts'
import type { Credentials } from './credentials.ts'

/**
 * @param socket relative to the working folder: absolute paths of sockets must be short
 * @returns the API, and the server to close at the end
 */
export async function startApiRelay(socket: string, port: number, credentials: Credentials): Promise<{ api: Api, server: http.Server }> {
  const agent = new https.Agent({ keepAlive: true, ca: credentials.ca })
  const server = http.createServer((request, response) => {
    const headers = { ...request.headers, host: `127.0.0.1:${port}`, authorization: `Bearer ${credentials.token}` }
    const onward = https.request({ host: '127.0.0.1', port, agent, method: request.method, path: request.url, headers }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    onward.on('error', error => {
      if (response.headersSent) response.destroy()
      else response.writeHead(502, { 'content-type': 'text/plain' }).end(error.message)
    })
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, resolve)
  })
  return { api: connectApi(socket), server }
}
