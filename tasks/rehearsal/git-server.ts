/** Smart HTTP Git, read only: `git http-backend` behind Node's HTTP server. */
import { spawn } from 'node:child_process'
import type http from 'node:http'

interface CgiHead { status: number, headers: [string, string][] }

/** @returns status and headers of a CGI program's head. */
export function parseCgiHead(text: string): CgiHead {
  const head: CgiHead = { status: 200, headers: [] }
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    const [key, value] = [line.slice(0, colon), line.slice(colon + 1).trim()]
    if (key.toLowerCase() === 'status') head.status = Number.parseInt(value, 10)
    else head.headers.push([key, value])
  }
  return head
}

function environment(root: string, url: URL, request: http.IncomingMessage): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH, GIT_PROJECT_ROOT: root, GIT_HTTP_EXPORT_ALL: '1', GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    PATH_INFO: url.pathname, QUERY_STRING: url.search.slice(1), REQUEST_METHOD: request.method, REMOTE_ADDR: '127.0.0.1',
    CONTENT_TYPE: request.headers['content-type'] ?? '', HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
  }
}

/** @param root folder that holds bare repositories */
export function serveGit(root: string, url: URL, request: http.IncomingMessage, response: http.ServerResponse): void {
  const isPush = url.searchParams.get('service') === 'git-receive-pack' || url.pathname.endsWith('/git-receive-pack')
  if (isPush) return void response.writeHead(403, { 'content-type': 'text/plain' }).end('this Git server is read only\n')
  const backend = spawn('git', ['http-backend'], { env: environment(root, url, request), stdio: ['pipe', 'pipe', 'ignore'] })
  backend.on('error', error => response.headersSent ? response.destroy() : response.writeHead(500).end(`${error.message}\n`))
  // a client that goes away, or a backend that needs no more input
  backend.stdin.on('error', () => backend.stdin.destroy())
  response.on('close', () => backend.kill())
  request.pipe(backend.stdin)
  let head: Buffer | undefined = Buffer.alloc(0)
  backend.stdout.on('data', (chunk: Buffer) => {
    if (head === undefined) return void response.write(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    const { status, headers } = parseCgiHead(head.subarray(0, end).toString())
    response.writeHead(status, headers.flat())
    response.write(head.subarray(end + 4))
    head = undefined
  })
  backend.stdout.on('end', () => response.end())
}
