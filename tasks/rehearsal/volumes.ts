/**
 * Stand-in for k3s's local-path-provisioner: makes a PersistentVolume for every claim that the scheduler has given a node, and deletes it when
 * it is released. Nothing is stored: the pods that would write are simulated.
 */
import { type Api, ApiError, remove, request } from '../lib/api.ts'
import { messageOf } from '../lib/errors.ts'
import type { KubeObject } from '../lib/objects.ts'
import { PersistentVolumeClaim, type Resource } from '../lib/resources.ts'
import { watch } from '../lib/watch.ts'
import { PROVISIONER } from './bootstrap.ts'

const PersistentVolume: Resource = { kind: 'PersistentVolume', apiVersion: 'v1', plural: 'persistentvolumes', namespaced: false }
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by'
const SELECTED_NODE = 'volume.kubernetes.io/selected-node'
const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner'

type Claim = KubeObject<{ volumeName?: string, storageClassName?: string, accessModes?: string[], volumeMode?: string, resources?: { requests?: { storage?: string } } }>
type Volume = KubeObject<{ persistentVolumeReclaimPolicy?: string }, { phase?: string }>

/** @returns the volume that a claim waits for, or undefined when it waits for none of ours. */
export function volumeFor(claim: Claim): Volume | undefined {
  const { name, namespace, uid, annotations, deletionTimestamp } = claim.metadata
  const node = annotations?.[SELECTED_NODE]
  if (annotations?.[STORAGE_PROVISIONER] !== PROVISIONER || node === undefined || deletionTimestamp !== undefined) return undefined
  if ((claim.spec?.volumeName ?? '') !== '') return undefined
  const { storageClassName, accessModes, volumeMode, resources } = claim.spec ?? {}
  const volume = `pvc-${uid ?? ''}`
  const spec = {
    accessModes, storageClassName, volumeMode, capacity: { storage: resources?.requests?.storage }, persistentVolumeReclaimPolicy: 'Delete',
    claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
    hostPath: { path: `/var/lib/rehearsal/${volume}_${namespace ?? ''}_${name}`, type: 'DirectoryOrCreate' },
    nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] } },
  }
  return { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: volume, annotations: { [PROVISIONED_BY]: PROVISIONER } }, spec }
}

/** @returns whether a volume of ours has lost its claim for good. */
export function isReleased(volume: Volume): boolean {
  return volume.metadata.annotations?.[PROVISIONED_BY] === PROVISIONER && volume.status?.phase === 'Released'
    && volume.spec?.persistentVolumeReclaimPolicy === 'Delete' && volume.metadata.deletionTimestamp === undefined
}

/** Runs until the signal. */
export function startVolumes(api: Api, signal: AbortSignal, log: (line: string) => void): void {
  const report = (name: string) => (error: unknown) => {
    if (!(error instanceof ApiError && error.reason === 'AlreadyExists')) log(`${name}: ${messageOf(error)}`)
  }
  const claims = watch<Claim>(api, PersistentVolumeClaim, {
    signal, onChange: () => {
      for (const claim of claims.objects.values()) {
        const volume = volumeFor(claim)
        if (volume !== undefined) request(api, 'POST', '/api/v1/persistentvolumes', { body: volume }).catch(report(volume.metadata.name))
      }
    },
  })
  const volumes = watch<Volume>(api, PersistentVolume, {
    signal, onChange: () => {
      for (const volume of [...volumes.objects.values()].filter(isReleased)) remove(api, PersistentVolume, volume.metadata).catch(report(volume.metadata.name))
    },
  })
}
