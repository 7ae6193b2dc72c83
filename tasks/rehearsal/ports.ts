/** Free loopback ports: what one instance needs, found anew at every start. */
import net from 'node:net'
import { failure, hasCode, messageOf } from '../lib/errors.ts'

export const portNames = [
  'etcd', 'etcdPeer', 'apiserver', 'registry', 'internet', 'kwok',
  'acmeStaging', 'acmeStagingManagement', 'acmeProd', 'acmeProdManagement',
  'sourceStorage',
] as const
export type Ports = Record<typeof portNames[number], number>

function listen(port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

const close = (server: net.Server): Promise<void> => new Promise(resolve => { server.close(() => resolve()) })

const portOf = (server: net.Server): number => {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** @returns whether nothing listens on this loopback port. */
export async function isFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port))
    return true
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE') || hasCode(error, 'EACCES')) return false
    throw error
  }
}

/**
 * The API server keeps its port where it can, so that kubeconfigs given away stay true.
 * @param previous ports of an earlier start of the same instance
 */
export async function findPorts(previous?: Partial<Ports>): Promise<Ports> {
  // all are held at once, or the system may give the same one twice
  const held: net.Server[] = []
  try {
    const ports: Partial<Ports> = {}
    for (const name of portNames) {
      const wanted = previous?.[name]
      const server = wanted !== undefined && await isFree(wanted) ? await listen(wanted) : await listen(0)
      held.push(server)
      ports[name] = portOf(server)
    }
    return ports as Ports
  } catch (error) {
    throw failure('no free port on 127.0.0.1', { why: messageOf(error), fix: 'ss -ltn (see what listens), then: make rehearsal-up' })
  } finally {
    await Promise.all(held.map(close))
  }
}
