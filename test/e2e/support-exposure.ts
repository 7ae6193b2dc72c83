/** Looks at a rehearsal cluster as another user of the machine would: sockets, process list, files, requests without credentials. */
import { readFile, readdir, readlink, stat } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import path from 'node:path'
import type { RehearsalState } from '../../tasks/rehearsal/state.ts'

/** @returns the processes of an instance by name. */
export const processesOf = (state: RehearsalState): [string, number][] => [['supervisor', state.supervisor.pid], ...Object.entries(state.children).map(([name, ref]): [string, number] => [name, ref.pid])]

export interface Listener { process: string, address: string, port: number }

async function inodesOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  // a descriptor may be closed meanwhile
  const targets = await Promise.all((await readdir(folder)).map(fd => readlink(path.join(folder, fd)).catch(() => '')))
  return targets.flatMap(target => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? [])
}

/** @returns `127.0.0.1` from `0100007F`; an address of IPv6 stays in hex */
const addressOf = (hex: string): string => hex.length === 8 ? (hex.match(/../g) ?? []).reverse().map(part => Number.parseInt(part, 16)).join('.') : hex

/** @returns every TCP socket on which the instance listens, and every UDP socket it has. */
export async function listenersOf(state: RehearsalState): Promise<Listener[]> {
  const owners = new Map<string, string>()
  for (const [name, pid] of processesOf(state)) for (const inode of await inodesOf(pid)) owners.set(inode, name)
  const found: Listener[] = []
  for (const table of ['tcp', 'tcp6', 'udp', 'udp6']) {
    for (const line of (await readFile(`/proc/net/${table}`, 'utf8')).split('\n').slice(1)) {
      const [, local = '', , condition, , , , , , inode = ''] = line.trim().split(/\s+/)
      const process = owners.get(inode)
      const [hex = '', port = ''] = local.split(':')
      if (process !== undefined && (table.startsWith('udp') || condition === '0A')) found.push({ process, address: addressOf(hex), port: Number.parseInt(port, 16) })
    }
  }
  return found
}

interface Answer { status: number, text: string }

/** Sends a request that knows no secret. @returns the answer; status 0 when the connection was refused or broken */
export function ask(url: string, options: https.RequestOptions = {}): Promise<Answer> {
  const secure = url.startsWith('https:')
  return new Promise(resolve => {
    const request = (secure ? https : http).request(url, { rejectUnauthorized: false, agent: false, timeout: 5000, ...options }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
      response.on('close', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', error => resolve({ status: 0, text: error.message }))
    request.end()
  })
}

/** @returns the command line and environment of a process, as /proc shows them. */
export async function seenOf(pid: number): Promise<string> {
  return (await Promise.all(['cmdline', 'environ'].map(file => readFile(`/proc/${pid}/${file}`, 'utf8')))).join('\0')
}

/** @returns files below a folder that hold one of the texts and can be read by somebody else than their owner. */
export async function openFiles(folder: string, texts: readonly string[]): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const entry of entries.filter(one => one.isFile())) {
    const file = path.join(entry.parentPath, entry.name)
    // a controller's temporary file may be gone again
    const mode = await stat(file).then(({ mode: bits }) => bits & 0o077, () => 0)
    if (mode === 0) continue
    const text = await readFile(file, 'latin1').catch(() => '')
    if (texts.some(secret => text.includes(secret))) found.push(`${file} ${mode.toString(8)}`)
  }
  return found
}
