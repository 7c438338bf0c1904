/**
 * Owns a program that does all that the store does in directories that others have prepared, one after the other, and writes what
 * came of each: it hangs, or ends, if the store does.
 */
import { readFileSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { AgentError } from '../../agent/core/errors.ts'
import { Secret } from '../../agent/core/secret.ts'
import type { BundleText } from '../../agent/pki/bundle.ts'
import { readEtcdCa } from '../../agent/sidecar/inputs.ts'
import { createFileSource } from '../../agent/sidecar/source/file.ts'
import { openHostCniDir } from '../../agent/sidecar/store/host-cni-dir.ts'
import { openIssuanceRecord } from '../../agent/sidecar/store/records.ts'
import { openStateDir } from '../../agent/sidecar/store/state-dir.ts'
import { openStaticDir } from '../../agent/sidecar/store/static-dir.ts'
import { openTargetDir } from '../../agent/sidecar/store/target-dir.ts'
import { readTokenClaims } from '../../agent/vault/credentials.ts'

export type Place = 'target' | 'state' | 'host' | 'static' | 'source' | 'ca-file' | 'token-file'

export interface Stop {
  readonly place: Place
  readonly path: string
}

/** What the steps came to, by their names: `ok`, or the reason with its message. */
export type Visit = Readonly<Record<string, string>>

const [listFile = ''] = process.argv.slice(2)
const { stops, bundle } = JSON.parse(readFileSync(listFile, 'utf8')) as {
  stops: Stop[]
  bundle: { ca: string; certificate: string; key: string }
}
const text: BundleText = { ...bundle, key: new Secret(bundle.key) }
const attributes = { mode: 0o400, uid: undefined, gid: undefined }
const at = new Date()

const visits: Record<Place, (path: string) => Readonly<Record<string, () => unknown>>> = {
  target(path) {
    const target = openTargetDir(path, attributes, () => {})
    const record = openIssuanceRecord(path)
    return {
      current: () => target.current(),
      previous: () => target.previous(),
      attributes: () => [target.hasAttributes(), target.writtenAtMs()],
      readRecord: () => record.read(),
      writeRecord: () => record.write([1]),
      claim: () => target.claim(),
      publish: () => target.publish(text, at),
      readBack: () => target.current(),
      release: () => target.release(),
    }
  },
  state(path) {
    const state = openStateDir(path)
    return {
      current: () => state.current(),
      readRecord: () => state.record.read(),
      claim: () => state.claim(),
      writeRecord: () => state.record.write([1]),
      publish: () => state.publish(text, at),
      release: () => state.release(),
    }
  },
  host: (path) => ({ sync: () => openHostCniDir(dirname(path), basename(path)).sync(text, at) }),
  static: (path) => ({ current: () => openStaticDir(path).current() }),
  source(path) {
    const fields = { certificate: 'etcd-cert', key: 'etcd-key', ca: 'etcd-ca' }
    const source = createFileSource({ kind: 'file', directories: { a: path }, fields, pollMs: 1000 })
    const target = { component: 'a', directory: path, commonName: 'a', pkiRole: 'a' }
    return { obtain: () => source.obtain({ target, commonName: 'a', published: undefined }, undefined) }
  },
  'ca-file': (path) => ({ read: () => readEtcdCa(join(path, 'etcd-ca')) }),
  'token-file': (path) => ({ read: () => readTokenClaims(join(path, 'etcd-ca')) }),
}

for (const { place, path } of stops) {
  const visit: Record<string, string> = {}
  for (const [step, act] of Object.entries(visits[place](path))) {
    try {
      await act()
      visit[step] = 'ok'
    } catch (error) {
      visit[step] = error instanceof AgentError ? `${error.code}: ${error.message}` : `BUG ${String(error)}`
    }
  }
  writeSync(1, `${JSON.stringify(visit)}\n`)
}
