/** Every kustomize that is in a kubectl of 1.27 or newer makes the same of every documented way. */
import { describe, expect, it } from 'vitest'
import { cases, renderWay } from './cases.ts'
import { kustomize, programs } from './kustomize.ts'

describe.each(programs)('%s', (_name, program) => {
  const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
  it.skipIf('missing' in program || 'missing' in kustomize).each(cases)(`renders %s${leftOut}`, (_title, way) => {
    if ('missing' in program) throw new Error(program.missing)
    expect(renderWay(way, program.command)).toEqual(renderWay(way))
  })
})
