/** Owns a program that publishes one bundle after the other as fast as it can, and writes a dot after each, until it is killed. */
import { readFileSync, writeSync } from 'node:fs'
import { Secret } from '../../agent/core/secret.ts'
import { openSecretDir } from '../../agent/sidecar/store/secret-dir.ts'

const [directory = '', bundlesFile = ''] = process.argv.slice(2)
const bundles = JSON.parse(readFileSync(bundlesFile, 'utf8')) as { ca: string; certificate: string; key: string }[]
const secretDir = openSecretDir(directory, { mode: 0o400, uid: undefined, gid: undefined })
for (;;) {
  for (const { ca, certificate, key } of bundles) {
    secretDir.publish({ ca, certificate, key: new Secret(key) }, new Date())
    writeSync(1, '.')
  }
}
