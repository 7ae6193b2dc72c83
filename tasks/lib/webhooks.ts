/** Admission webhooks that stand in the way: found by the words of the API server, which names the webhook and not its configuration. */
import { type Api, isUnreachable, list } from './api.ts'
import type { KubeObject } from './objects.ts'

type WebhookConfiguration = KubeObject & { webhooks?: { name: string }[] }

/**
 * @param words an error of the API server, or of a controller that quotes it
 * @returns the command that removes the webhook it names; undefined where it names none, or one that is gone
 */
export async function webhookFix(api: Api, words: string): Promise<string | undefined> {
  const name = /(?:calling|admission) webhook "([^"]+)"/.exec(words)?.[1]
  if (name === undefined) return undefined
  for (const kind of ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration']) {
    const resource = { kind, apiVersion: 'admissionregistration.k8s.io/v1', plural: `${kind.toLowerCase()}s`, namespaced: false }
    const found = await list<WebhookConfiguration>(api, resource).catch((error: unknown) => {
      if (!isUnreachable(error)) throw error
    })
    const owner = found?.items.find(one => one.webhooks?.some(webhook => webhook.name === name))
    if (owner) return `kubectl delete ${kind.toLowerCase()} ${owner.metadata.name}   # or bring its service back`
  }
  return undefined
}
