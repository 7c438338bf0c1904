/** Owns a program that publishes one bundle, once: what is killed at each of its system calls. */
import { readFileSync } from 'node:fs'
import { Secret } from '../../agent/secret.ts'
import { openSecretDir } from '../../agent/store/secret-dir.ts'

const [directory = '', bundleFile = ''] = process.argv.slice(2)
const { ca, certificate, key } = JSON.parse(readFileSync(bundleFile, 'utf8')) as Record<string, string>
const secretDir = openSecretDir(directory, { mode: 0o400, uid: undefined, gid: undefined })
secretDir.publish({ ca: ca ?? '', certificate: certificate ?? '', key: new Secret(key ?? '') }, new Date())
