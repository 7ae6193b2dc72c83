/** APIs that are registered and served by nobody: namespaces cannot go while they might hold something of them. */
import { type Api, list } from './api.ts'
import { type KubeObject, conditionOf } from './objects.ts'

const APIService = { kind: 'APIService', apiVersion: 'apiregistration.k8s.io/v1', plural: 'apiservices', namespaced: false }

/** @returns the command that removes every API that does not answer, or undefined where `words` do not speak of one. */
export async function apiServiceFix(api: Api, words: string): Promise<string | undefined> {
  if (!/discovery failed|complete list of server APIs/i.test(words)) return undefined
  const { items } = await list<KubeObject>(api, APIService)
  const away = items.filter(service => conditionOf(service, 'Available')?.status === 'False').map(service => service.metadata.name)
  return away.length === 0 ? undefined : `kubectl delete apiservice ${away.join(' ')}   # or bring its service back`
}
