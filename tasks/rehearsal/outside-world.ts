/** The processes that stand for the outside world: an OCI registry with the charts, and two ACME servers. */
import path from 'node:path'
import type { Api } from '../lib/api.ts'
import { forgetAccounts, saveRoot } from './acme-roots.ts'
import type { ChildSpec } from './child.ts'
import type { Place } from './control-plane.ts'
import { pushCharts } from './oci-push.ts'

/** @param charts folder of the packaged charts */
export function registry(place: Place, charts: string): ChildSpec {
  return {
    name: 'registry', program: path.join(place.programs, 'crane'), args: ['registry', 'serve', `--address=127.0.0.1:${place.ports.registry}`], patience: 1000,
    afterStart: () => pushCharts(`http://127.0.0.1:${place.ports.registry}`, charts),
  }
}

/** A Pebble in the place of Let's Encrypt staging or prod: takes every challenge as valid, its certificates are real. */
export function pebble(place: Place, kind: 'staging' | 'prod', options: { api: Api, ca: string }): ChildSpec {
  const name = `acme-${kind}`
  const port = kind === 'staging' ? place.ports.acmeStagingManagement : place.ports.acmeProdManagement
  return {
    name, program: path.join(place.programs, 'pebble'), args: [`-config=${path.join(place.folder, `${name}.json`)}`], patience: 1000,
    env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_VA_ALWAYS_VALID: '1', PEBBLE_WFE_NONCEREJECT: '0' },
    afterStart: async () => {
      await saveRoot({ folder: place.folder, issuer: `letsencrypt-${kind}`, port, ca: options.ca })
      await forgetAccounts(options.api, `${name}.rehearsal.internal`)
    },
  }
}
