import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  fingerprintDirectory,
  fingerprintFiles,
  fingerprintPublished,
} from '../../../../agent/sidecar/store/fingerprint.ts'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { tempDir } from '../../../support/temp-dir.ts'
import { attributes, createBundles } from './bundles.ts'

async function published(): Promise<string> {
  const path = tempDir()
  const [bundle] = await createBundles(1)
  if (bundle === undefined) throw new Error('no bundle')
  openSecretDir(path, attributes).publish(bundle, new Date(0))
  return path
}

const data = (path: string, name: string): string => join(path, '..data', name)

/** What is done to a published directory, and which fingerprint tells it. */
const changes: Readonly<Record<string, readonly [(path: string) => void, inPublished: boolean, inDirectory: boolean]>> =
  {
    'nothing is done': [() => {}, false, false],
    'another file comes': [(path) => writeFileSync(join(path, 'file'), 'text'), false, false],
    'a file is touched': [(path) => utimesSync(data(path, 'etcd-ca'), 1, 1), true, false],
    'a file is written in place': [(path) => writeFileSync(data(path, 'etcd-ca'), 'text'), true, false],
    'a file has another mode': [(path) => chmodSync(data(path, 'etcd-key'), 0o644), true, false],
    'a file is removed': [(path) => rmSync(data(path, 'etcd-key')), true, false],
    'a name is removed': [(path) => rmSync(join(path, 'etcd-key')), true, true],
    'the link is removed': [(path) => rmSync(join(path, '..data')), true, true],
    'the directory has another mode': [(path) => chmodSync(path, 0o711), true, true],
    'a lock comes': [(path) => writeFileSync(join(path, '..lock'), ''), false, true],
    'everything is removed': [(path) => rmSync(path, { recursive: true }), true, true],
    'a pipe takes the place of a file': [
      (path) => {
        rmSync(join(path, 'etcd-ca'))
        execFileSync('mkfifo', [join(path, 'etcd-ca')])
      },
      true,
      true,
    ],
    'a link to itself takes the place of a file': [
      (path) => {
        symlinkSync('etcd-ca', join(path, 'link'))
        renameSync(join(path, 'link'), join(path, 'etcd-ca'))
      },
      true,
      true,
    ],
  }

describe('a published directory', () => {
  test.each(Object.entries(changes))('%s', async (_what, [change, inPublished, inDirectory]) => {
    const path = await published()
    const before = [fingerprintPublished(path), fingerprintDirectory(path)]
    change(path)
    const after = [fingerprintPublished(path), fingerprintDirectory(path)]
    expect(after.map((each, index) => each !== before[index])).toEqual([inPublished, inDirectory])
  })
})

describe('files', () => {
  const file = (text: string): string => {
    const path = join(tempDir(), 'file')
    writeFileSync(path, text)
    return path
  }

  test('are told by their content alone', () => {
    const [one, other] = [file('text'), file('text')]
    expect(fingerprintFiles([one])).toBe(fingerprintFiles([other]))
    utimesSync(one, 1, 1)
    chmodSync(one, 0o600)
    expect(fingerprintFiles([one])).toBe(fingerprintFiles([other]))
    writeFileSync(one, 'another')
    expect(fingerprintFiles([one])).not.toBe(fingerprintFiles([other]))
  })

  test('cannot be taken for one another', () => {
    expect(fingerprintFiles([file('a'), file('bc')])).not.toBe(fingerprintFiles([file('ab'), file('c')]))
    expect(fingerprintFiles([file('a'), undefined])).not.toBe(fingerprintFiles([undefined, file('a')]))
  })

  test('that cannot be read have a fingerprint too, and none is waited for', () => {
    const directory = tempDir()
    const missing = join(directory, 'missing')
    const before = fingerprintFiles([missing])
    expect(fingerprintFiles([missing])).toBe(before)
    execFileSync('mkfifo', [missing])
    const pipe = fingerprintFiles([missing])
    expect(pipe).not.toBe(before)
    rmSync(missing)
    mkdirSync(missing)
    expect(fingerprintFiles([missing])).toBe(pipe)
  })
})
