/** findChain of agent/pki/certificate.ts: every shape of a chain that a PKI mount can answer with. */
import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { neededCa } from '../../../agent/pki/ca-set.ts'
import { findChain } from '../../../agent/pki/certificate.ts'
import { createCa, type TestCa, type TestCertificate } from '../../support/certificates.ts'
import { x509 } from './parsed.ts'

const now = Date.now()
const hour = 3_600_000
let root: TestCa
let intermediate: TestCa
let issuing: TestCa
let leaf: TestCertificate

beforeAll(async () => {
  root = await createCa({ commonName: 'Root' })
  intermediate = await createCa({ commonName: 'Intermediate', issuer: root })
  issuing = await createCa({ commonName: 'Issuing', issuer: intermediate })
  leaf = await issuing.issue({ commonName: 'calico-node:node1' })
})

type Certificate = Pick<TestCertificate, 'certificatePem'>

/** The subjects of the chain from the leaf's issuer up. */
function chain(from: Certificate, between: readonly Certificate[], anchors: readonly Certificate[], atMs = now) {
  return findChain(x509(from), between.map(x509), anchors.map(x509), atMs)?.map(({ subject }) => subject)
}

describe('a chain', () => {
  test('goes through the intermediates, in whatever order they come', () => {
    const expected = ['CN=Issuing', 'CN=Intermediate', 'CN=Root']
    expect(chain(leaf, [issuing, intermediate], [root])).toEqual(expected)
    expect(chain(leaf, [intermediate, issuing], [root])).toEqual(expected)
  })

  test('ends at the first certificate that is trusted, be it a root or not', () => {
    expect(chain(leaf, [issuing, intermediate], [root, issuing])).toEqual(['CN=Issuing'])
    expect(chain(leaf, [], [issuing])).toEqual(['CN=Issuing'])
    expect(chain(leaf, [issuing], [intermediate])).toEqual(['CN=Issuing', 'CN=Intermediate'])
  })

  test('is none where a link is missing', () => {
    expect(chain(leaf, [issuing], [root])).toBeUndefined()
    expect(chain(leaf, [], [root])).toBeUndefined()
    expect(chain(leaf, [issuing, intermediate], [])).toBeUndefined()
  })

  test('does not trust the intermediates themselves, nor a root that came with the certificate', () => {
    expect(chain(leaf, [issuing, intermediate, root], [])).toBeUndefined()
  })

  test('is none to another root of the same name', async () => {
    const namesake = await createCa({ commonName: 'Root' })
    expect(chain(leaf, [issuing, intermediate], [namesake])).toBeUndefined()
  })

  test('does not go through what is no authority', async () => {
    const imposter = await createCa({ commonName: 'Imposter', issuer: root, isCa: false })
    expect(chain(await imposter.issue(), [imposter], [root])).toBeUndefined()
    expect(chain(await imposter.issue(), [], [imposter])).toBeUndefined()
  })
})

describe('at its time', () => {
  test('an expired intermediate breaks it, and a renewed one for the same key mends it', async () => {
    const notBefore = new Date(now - 3 * hour)
    const old = await createCa({ commonName: 'Old', issuer: root, notBefore, notAfter: new Date(now - hour) })
    const renewed = await createCa({ commonName: 'Old', issuer: root, sameKeyAs: old })
    const issued = await old.issue()
    expect(chain(issued, [old], [root])).toBeUndefined()
    expect(chain(issued, [old, renewed], [root])).toEqual(['CN=Old', 'CN=Root'])
    expect(chain(issued, [], [old, renewed])).toEqual(['CN=Old'])
    expect(chain(issued, [], [old], now - 2 * hour)).toEqual(['CN=Old'])
  })

  test('an expired root, or one of the future, is not trusted', async () => {
    const expired = await createCa({ notBefore: new Date(now - 2 * hour), notAfter: new Date(now - hour) })
    const future = await createCa({ notBefore: new Date(now + hour) })
    expect(chain(await expired.issue(), [], [expired])).toBeUndefined()
    expect(chain(await future.issue(), [], [future])).toBeUndefined()
  })
})

describe('cross-signed authorities', () => {
  test('give a chain to the old root and to the new one', async () => {
    const newRoot = await createCa({ commonName: 'New root' })
    const crossed = await createCa({ commonName: 'New root', issuer: root, sameKeyAs: newRoot })
    const issued = await newRoot.issue()
    expect(chain(issued, [], [newRoot])).toEqual(['CN=New root'])
    expect(chain(issued, [crossed], [root])).toEqual(['CN=New root', 'CN=Root'])
  })

  test('that sign each other in a circle end in a chain, or in none', async () => {
    const a = await createCa({ commonName: 'A' })
    const b = await createCa({ commonName: 'B' })
    const aByB = await createCa({ commonName: 'A', issuer: b, sameKeyAs: a })
    const bByA = await createCa({ commonName: 'B', issuer: a, sameKeyAs: b })
    const issued = await a.issue()
    expect(chain(issued, [aByB, bByA], [])).toBeUndefined()
    expect(chain(issued, [aByB, bByA], [root])).toBeUndefined()
    const aByRoot = await createCa({ commonName: 'A', issuer: root, sameKeyAs: a })
    expect(chain(await b.issue(), [aByB, bByA, aByRoot], [root])).toEqual(['CN=B', 'CN=A', 'CN=Root'])
  })

  test('with a dozen certificates of one name and key do not multiply the ways', async () => {
    // A search that tried every order of them would take 12! steps.
    const first = await createCa({ commonName: 'Again' })
    const again: Certificate[] = []
    for (let count = 0; count < 12; count++) again.push(await createCa({ commonName: 'Again', sameKeyAs: first }))
    expect(chain(await first.issue(), again, [root])).toBeUndefined()
  })
})

describe('many certificates of one name and key', () => {
  test('are searched with a bounded number of signature checks', async () => {
    const first = await createCa({ commonName: 'Again' })
    const again: X509Certificate[] = []
    for (let count = 0; count < 60; count++)
      again.push(x509(await createCa({ commonName: 'Again', sameKeyAs: first, notBefore: new Date(now - 60 * hour) })))
    const issued = x509(await first.issue())
    const verify = vi.spyOn(X509Certificate.prototype, 'verify')
    onTestFinished(() => verify.mockRestore())
    const other = x509(root)
    expect(findChain(issued, again, [other], now)).toBeUndefined()
    // Each is an issuer of each, and all of them need it: 60 times 60.
    expect(neededCa({ leaf: issued, intermediates: [], ca: again }, now)).toHaveLength(60)
    expect(verify.mock.calls.length).toBeLessThanOrEqual(1100)
  })

  test('with signatures of other keys are given up as Go gives them up', async () => {
    const [one, signer] = [await createCa({ commonName: 'Again' }), await createCa({ commonName: 'Again' })]
    const issued = x509(await signer.issue())
    const many = Array.from({ length: 700 }, () => x509(one))
    const verify = vi.spyOn(X509Certificate.prototype, 'verify').mockReturnValue(false)
    const named = vi.spyOn(X509Certificate.prototype, 'checkIssued').mockReturnValue(true)
    onTestFinished(() => {
      verify.mockRestore()
      named.mockRestore()
    })
    expect(findChain(issued, many, many, now)).toBeUndefined()
    expect(verify).toHaveBeenCalledTimes(500)
  })
})
