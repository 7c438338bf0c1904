import { expect, test } from 'vitest'
import { type CaHistory, describeCaHistory, extendCaHistory } from '../../../agent/sidecar/ca-history.ts'
import { publishedIn } from './rotation-files.ts'
import { newCa, oldCa, rotationRig, startMs, x509 } from './rotation-rig.ts'

const [old, fresh] = [x509(oldCa), x509(newCa)]

test('a set that grows has a new moment, one that shrinks or stays has not', () => {
  let history: CaHistory | undefined
  const told = [[old], [old], [old, fresh], [fresh], [fresh, old]].map((ca, at) => {
    history = extendCaHistory(history, ca, 1000 + at)
    const { addedAtMs, changedSinceStart, count } = describeCaHistory(history, [], startMs)
    return [count, addedAtMs, changedSinceStart]
  })
  expect(told).toEqual([
    [1, 1000, false],
    [1, 1000, false],
    [2, 1002, true],
    [1, 1002, true],
    [2, 1004, true],
  ])
})

test('an agent that finds a set in place knows since when at the least: a consumer between is not told to restart', async () => {
  const rig = await rotationRig()
  await rig.start()
  const written = rig.told('published')[0]?.certificate.ca.addedAtMs
  await rig.restart()
  expect(rig.told('found')).toMatchObject([{ certificate: { ca: { addedAtMs: written } } }])
  expect(publishedIn(rig.path).ca).toEqual(['CN=Old CA'])
})
