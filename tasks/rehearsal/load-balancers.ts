/** Stand-in for ServiceLB of k3s: gives every Service of type LoadBalancer the node's address; without one it would never count as Ready. */
import { type Api, request } from '../lib/api.ts'
import { watch } from '../lib/watch.ts'
import { messageOf } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'
import { type Resource, pathOf } from '../lib/resources.ts'
import { NODE_ADDRESS } from './control-plane.ts'

type Service = KubeObject<{ type?: string, loadBalancerClass?: string }, { loadBalancer?: { ingress?: unknown[] } }>

const Services: Resource = { kind: 'Service', apiVersion: 'v1', plural: 'services', namespaced: true }

/** @returns whether the Service waits for an address of ours. */
export function needsAddress(service: Service): boolean {
  const { type, loadBalancerClass } = service.spec ?? {}
  return type === 'LoadBalancer' && loadBalancerClass === undefined && (service.status?.loadBalancer?.ingress ?? []).length === 0
}

/** Runs until the signal. */
export function startLoadBalancers(api: Api, signal: AbortSignal, log: (line: string) => void): void {
  const body = { status: { loadBalancer: { ingress: [{ ip: NODE_ADDRESS, ipMode: 'VIP' }] } } }
  const services = watch<Service>(api, Services, {
    signal, onChange: () => {
      for (const service of [...services.objects.values()].filter(needsAddress)) {
        request(api, 'PATCH', `${pathOf(Services, service.metadata)}/status`, { body, contentType: 'application/merge-patch+json' })
          .catch((error: unknown) => log(`Service ${service.metadata.name} gets no address: ${messageOf(error)}`))
      }
    },
  })
}
