import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { readEtcdCa } from '../../../agent/sidecar/inputs.ts'
import { createCa } from '../../support/certificates.ts'
import { withDamagedDate, withDamagedKey, withUnknownAlgorithm } from '../../support/damaged.ts'
import { tempDir } from '../../support/temp-dir.ts'

const ca = await createCa({ commonName: 'etcd CA' })
let file: string

beforeEach(() => {
  file = join(tempDir(), 'ca.pem')
})

test('the certificates of the file', () => {
  writeFileSync(file, ca.certificatePem)
  expect(readEtcdCa(file).map(({ subject }) => subject)).toEqual(['CN=etcd CA'])
  expect(readEtcdCa(undefined)).toEqual([])
})

test.each([withDamagedKey, withUnknownAlgorithm, withDamagedDate])(
  'one that cannot be used is refused by name: %o',
  (damage) => {
    writeFileSync(file, ca.certificatePem + damage(ca.certificatePem))
    const message = expect.stringMatching(/^AGENT_ETCD_CA_FILE: PEM certificate 2: its .* cannot be .*\(CN=etcd CA\)$/)
    expect(() => readEtcdCa(file)).toThrow(expect.objectContaining({ code: 'file-invalid', message }))
  },
)
