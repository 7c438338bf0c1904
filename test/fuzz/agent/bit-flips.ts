/** Owns the process that turns over each bit of a leaf and of a CA in turn, and has the agent's code parse, judge and describe it. */
import { X509Certificate } from 'node:crypto'
import { AgentError } from '../../../agent/core/errors.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { parseBundle } from '../../../agent/pki/bundle.ts'
import { caUses, planCaSet } from '../../../agent/pki/ca-set.ts'
import { judge } from '../../../agent/sidecar/gate/gate.ts'
import { createCa } from '../../support/certificates.ts'
import { withFlippedBit } from '../../support/damaged.ts'

const commonName = 'calico-node:node1'
const nowMs = Date.now()
const ca = await createCa({ commonName: 'CA' })
const leaf = await ca.issue({ commonName })
const context = { nowMs, clocks: { earliestMs: nowMs, latestMs: nowMs }, commonName, minLifetimeMs: 60_000, live: [] }

type Outcome = 'unusable' | 'refused' | 'passed'

function outcomeOf(certificate: string, authorities: string): Outcome {
  try {
    const bundle = parseBundle({ certificate, key: new Secret(leaf.privateKeyPem), ca: authorities }, 'there')
    const rejection = judge(bundle, context)
    caUses(planCaSet(bundle.ca, [], [bundle], nowMs), [bundle], nowMs)
    return rejection === undefined ? 'passed' : 'refused'
  } catch (error) {
    if (error instanceof AgentError) return 'unusable'
    throw error
  }
}

function flipAll(pem: string, judgeOne: (flipped: string) => Outcome): object {
  const der = new X509Certificate(pem).raw
  const told = { flips: der.length * 8, unusable: 0, refused: 0, passed: 0 }
  for (let bit = 0; bit < told.flips; bit++) told[judgeOne(withFlippedBit(der, bit))]++
  return told
}

const told = {
  leaf: flipAll(leaf.certificatePem, (flipped) => outcomeOf(flipped, ca.certificatePem)),
  ca: flipAll(ca.certificatePem, (flipped) => outcomeOf(leaf.certificatePem, flipped)),
}
process.stdout.write(JSON.stringify(told))
