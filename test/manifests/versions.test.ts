/** Every kustomize that is in a kubectl of 1.27 or newer makes the same of every documented way. */
import { describe, expect, it } from 'vitest'
import { cases, objectsOf, renderWay } from './cases.ts'
import { kustomize, programs } from './kustomize.ts'
import type { KubeObject } from './objects.ts'

describe.each(programs)('%s', (_name, program) => {
  const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
  it.skipIf('missing' in program || 'missing' in kustomize).each(cases)(`renders %s${leftOut}`, (_title, way) => {
    if ('missing' in program) throw new Error(program.missing)
    expect(sorted(renderWay(way, program.command))).toEqual(sorted(objectsOf(way)))
  })
})

/** kubectl puts the objects in another order, which means nothing to the API server. */
function sorted(objects: readonly KubeObject[]): KubeObject[] {
  const key = ({ kind, metadata }: KubeObject) => `${kind} ${metadata.name}`
  return objects.toSorted((a, b) => key(a).localeCompare(key(b)))
}
