/** Tells verdicts of before from those given since: a status that nobody has written again says nothing about a new commit or a new try. */
import { type KubeObject, refOf } from './objects.ts'
import type { Snapshot } from './snapshot.ts'

/** Status by object, as it was when a task began. */
export type Marks = ReadonlyMap<string, string>

const keyOf = (object: KubeObject): string => `${refOf(object)} ${object.metadata.uid ?? ''}`
const statusOf = (object: KubeObject): string => JSON.stringify(object.status ?? null)

/** Remembers every status of Flux's own objects. */
export function takeMarks(snapshot: Snapshot): Marks {
  const { gitRepositories, kustomizations, releases, ociRepositories, helmRepositories, helmCharts } = snapshot
  const objects: KubeObject[] = [...gitRepositories, ...kustomizations, ...releases, ...ociRepositories, ...helmRepositories, ...helmCharts]
  return new Map(objects.map(object => [keyOf(object), statusOf(object)]))
}

/** @returns true when the object's controller has written its status since the marks were taken. */
export function isWritten(object: KubeObject, marks: Marks | undefined): boolean {
  return marks?.get(keyOf(object)) !== statusOf(object)
}
