/** The shapes of Kubernetes objects that tasks read, and how they are named in output. */

export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason?: string
  message?: string
  observedGeneration?: number
  lastTransitionTime?: string
}

export interface ObjectMeta {
  name: string
  namespace?: string
  uid?: string
  generation?: number
  resourceVersion?: string
  creationTimestamp?: string
  deletionTimestamp?: string
  finalizers?: string[]
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: { kind: string, name: string, uid: string }[]
}

/** Any Kubernetes object; `Spec` and `Status` narrow what a reader relies on. */
export interface KubeObject<Spec = Record<string, unknown>, Status = Record<string, unknown>> {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec?: Spec
  status?: Status & { conditions?: Condition[], observedGeneration?: number }
}

export interface KubeList<T extends KubeObject = KubeObject> {
  metadata?: { resourceVersion?: string }
  items: T[]
}

/** @returns `Kind/namespace/name`, or `Kind/name` for an object of the cluster's own. */
export function refOf(object: { kind: string, metadata: { name: string, namespace?: string } }): string {
  return [object.kind, object.metadata.namespace, object.metadata.name].filter(part => part !== undefined).join('/')
}

/** @returns the condition of a type, if the object has it. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return object.status?.conditions?.find(condition => condition.type === type)
}

/** @returns true when the object's controller has seen its newest spec and reports Ready=True. */
export function isReady(object: KubeObject): boolean {
  const ready = conditionOf(object, 'Ready')
  const observed = object.status?.observedGeneration ?? ready?.observedGeneration ?? object.metadata.generation
  return ready?.status === 'True' && observed === object.metadata.generation
}

const SECRET_FIELDS = ['data', 'stringData']

/** @returns the object without the fields that may hold a secret, fit for printing. */
export function withoutSecrets(object: KubeObject): KubeObject {
  if (object.kind !== 'Secret') return object
  return Object.fromEntries(Object.entries(object).filter(([key]) => !SECRET_FIELDS.includes(key))) as unknown as KubeObject
}

/** @returns the data of a Secret as text. */
export function decodeData(data: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}
