/** Owns the way from the certificates of the test authority to what the agent works with. */
import { X509Certificate } from 'node:crypto'
import { Secret } from '../../../agent/core/secret.ts'
import { type Bundle, createBundle } from '../../../agent/pki/bundle.ts'
import { parseKey } from '../../../agent/pki/key.ts'
import type { TestCertificate } from '../../support/certificates.ts'

export function x509({ certificatePem }: Pick<TestCertificate, 'certificatePem'>): X509Certificate {
  return new X509Certificate(certificatePem)
}

/** A bundle of test certificates; the key is the leaf's unless another one is given. */
export function bundleOf(
  leaf: TestCertificate,
  ca: readonly Pick<TestCertificate, 'certificatePem'>[],
  intermediates: readonly TestCertificate[] = [],
  key: Pick<TestCertificate, 'privateKeyPem'> = leaf,
): Bundle {
  return createBundle({
    leaf: x509(leaf),
    intermediates: intermediates.map(x509),
    key: parseKey(new Secret(key.privateKeyPem)),
    ca: ca.map(x509),
  })
}
