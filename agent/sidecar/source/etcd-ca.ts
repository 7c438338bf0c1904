/** Owns reading AGENT_ETCD_CA_FILE: the CA certificates of etcd's servers, if those are not of the PKI CA. */
import type { X509Certificate } from 'node:crypto'
import { AgentError, messageOf } from '../../core/errors.ts'
import { readSmallFile, systemFiles } from '../../core/files.ts'
import { parseCertificates } from '../../pki/certificate.ts'

/** @throws AgentError `file-invalid` */
export function readEtcdCa(file: string | undefined): readonly X509Certificate[] {
  if (file === undefined) return []
  try {
    return parseCertificates(readSmallFile(systemFiles, file))
  } catch (cause) {
    throw new AgentError('file-invalid', `AGENT_ETCD_CA_FILE: ${messageOf(cause)}`, { cause })
  }
}
