import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { BundleText } from '../../../../agent/pki/bundle.ts'
import { openHostCniDir } from '../../../../agent/sidecar/store/host-cni-dir.ts'
import { openSecretDir } from '../../../../agent/sidecar/store/secret-dir.ts'
import { createFaultyFiles } from '../../../support/faulty-files.ts'
import { runInstallCni } from '../../../support/install-cni.ts'
import { canMount, remount, tempDir, tempFileSystem } from '../../../support/temp-dir.ts'
import { attributes, createBundles, litterIn, readNames, texts } from './bundles.ts'

const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21) + ms)
let first: BundleText
let second: BundleText
beforeAll(async () => {
  ;[first, second] = (await createBundles(2)) as [BundleText, BundleText]
})

let secretsDir: string
let netDir: string
let tlsDir: string
beforeEach(() => {
  secretsDir = tempDir()
  netDir = tempDir()
  tlsDir = join(netDir, 'calico-tls')
  openSecretDir(secretsDir, attributes).publish(first, at(0))
})

const hostCniDir = () => openHostCniDir(netDir, 'calico-tls')
const sync = (bundle: BundleText, ms = 1000): boolean => hostCniDir().sync(bundle, at(ms))
const refusal = (code: string, message: string): object =>
  expect.objectContaining({ code, message: expect.stringContaining(message) as string }) as object

describe.skipIf(!canMount)('where calico-tls alone is mounted, as in the manifests', () => {
  let host: string
  beforeEach(() => {
    host = join(tempDir(), 'calico-tls')
    mkdirSync(host)
    mkdirSync(tlsDir)
    execFileSync('mount', ['--bind', host, tlsDir])
    onTestFinished(() => void execFileSync('umount', ['--lazy', tlsDir]))
  })

  test('it stays when install-cni starts, and what was in it is put back', () => {
    expect(sync(first)).toBe(true)
    runInstallCni({ secretsDir, netDir })
    expect(sync(first)).toBe(true)
    expect(readNames(host)).toEqual(texts(first))
  })

  test('that it was removed on the host is told: nobody would read what is written', () => {
    rmSync(host, { recursive: true })
    expect(() => sync(first)).toThrow(refusal('host-copy-absent', `${tlsDir} was removed on the host`))
  })
})

describe('before install-cni has made the directory', () => {
  test('nothing is made', () => {
    expect(() => sync(first)).toThrow(refusal('host-copy-absent', `${tlsDir} does not exist`))
    expect(readdirSync(netDir)).toEqual([])
  })

  test('a host directory that is not mounted is another matter', () => {
    rmSync(netDir, { recursive: true })
    expect(() => sync(first)).toThrow(refusal('directory-missing', netDir))
  })

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'text')],
    ['a link to a directory', (path: string) => symlinkSync(secretsDir, path)],
  ])('%s in its place is left alone', (_what, make) => {
    make(tlsDir)
    expect(() => sync(second)).toThrow(refusal('directory-occupied', `${tlsDir} is not a directory`))
    expect(readNames(secretsDir)).toEqual(texts(first))
  })
})

describe('after install-cni', () => {
  beforeEach(() => runInstallCni({ netDir, secretsDir }))

  test('its copies are taken over: the same content, readable by the owner alone, one link to swap', () => {
    expect(sync(first)).toBe(true)
    expect(readNames(tlsDir)).toEqual(texts(first))
    for (const name of ['etcd-ca', 'etcd-cert', 'etcd-key']) {
      expect(statSync(join(tlsDir, name)).mode & 0o777).toBe(0o400)
      expect(readFileSync(join(tlsDir, '..data', name))).toEqual(readFileSync(join(tlsDir, name)))
    }
    expect(litterIn(tlsDir)).toEqual([])
  })

  test('what is in step is not touched', () => {
    sync(first)
    const { files, calls } = createFaultyFiles(() => undefined)
    expect(openHostCniDir(netDir, 'calico-tls', files).sync(first, at(2000))).toBe(false)
    expect(calls.filter((call) => !/^(lstat|stat|fstat|open|read|readlink|readdir|close)Sync$/.test(call))).toEqual([])
  })

  test('a rotation replaces all three, and the one before stays for who is reading', () => {
    sync(first)
    expect(sync(second, 2000)).toBe(true)
    expect(readNames(tlsDir)).toEqual(texts(second))
    expect(openSecretDir(tlsDir, attributes).previous()?.text).toEqual(first)
  })

  test('another start of install-cni, with what it has copied then, is followed', () => {
    sync(second)
    runInstallCni({ netDir, secretsDir })
    expect(readNames(tlsDir)).toEqual(texts(first))
    expect(sync(second, 2000)).toBe(true)
    expect(readNames(tlsDir)).toEqual(texts(second))
    expect(litterIn(tlsDir)).toEqual([])
  })

  test.each<[string, () => void]>([
    ['a key is removed', () => unlinkSync(join(tlsDir, 'etcd-key'))],
    ['a certificate is replaced', () => replaceWithFile('etcd-cert', 'mine')],
    ['a certificate is changed in place', () => changeInPlace('etcd-cert')],
    ['the mode of a key is changed', () => chmodSync(join(tlsDir, 'etcd-key'), 0o644)],
    ['the generation is removed', () => rmSync(join(tlsDir, '..data', 'etcd-ca'))],
    ['the link is removed', () => unlinkSync(join(tlsDir, '..data'))],
    ['the link leads nowhere', () => relink('nowhere')],
    [
      'everything in it is removed',
      () => readdirSync(tlsDir).forEach((name) => rmSync(join(tlsDir, name), { recursive: true })),
    ],
    ['it is made anew', () => remake()],
  ])('%s: repaired', (_what, spoil) => {
    sync(first)
    spoil()
    expect(sync(first, 2000)).toBe(true)
    expect(readNames(tlsDir)).toEqual(texts(first))
    expect(sync(first, 3000)).toBe(false)
  })

  test('removed for good, it is told as absent and not made again', () => {
    sync(first)
    rmSync(tlsDir, { recursive: true })
    expect(() => sync(first)).toThrow(refusal('host-copy-absent', tlsDir))
    expect(readdirSync(netDir)).toEqual([])
  })

  test('a directory in the place of a file is not removed', () => {
    rmSync(join(tlsDir, 'etcd-key'))
    mkdirSync(join(tlsDir, 'etcd-key'))
    expect(() => sync(first)).toThrow(refusal('directory-occupied', 'etcd-key'))
  })

  test('files of others beside ours stay', () => {
    writeFileSync(join(tlsDir, 'README'), 'text')
    sync(first)
    sync(second, 2000)
    expect(litterIn(tlsDir)).toEqual(['README'])
  })

  test('somebody who undoes every writing is told of, and not fought forever', () => {
    let writings = 0
    const { files } = createFaultyFiles((_index, call) => {
      // Before each look at the directory: the last writing is undone.
      if (call === 'lstatSync')
        readdirSync(tlsDir)
          .filter((name) => name === '..data')
          .forEach((name) => {
            rmSync(join(tlsDir, name))
            writings++
          })
      return undefined
    })
    expect(() => openHostCniDir(netDir, 'calico-tls', files).sync(first, at(1000))).toThrow(
      refusal('directory-failed', 'somebody changes it'),
    )
    expect(writings).toBe(3)
  })

  test.each([
    ['EACCES', 'directory-denied'],
    ['ENOSPC', 'directory-full'],
    ['EROFS', 'directory-read-only'],
  ])('%s is told, and the old copy stays whole', (code, reason) => {
    sync(first)
    const { files } = createFaultyFiles((_index, call) => (call === 'mkdirSync' ? { code } : undefined))
    expect(() => openHostCniDir(netDir, 'calico-tls', files).sync(second, at(2000))).toThrow(refusal(reason, tlsDir))
    expect(readNames(tlsDir)).toEqual(texts(first))
  })
})

test.skipIf(!canMount)(
  `a host directory that is mounted read-only${canMount ? '' : ' (left out: this process may not mount)'}`,
  () => {
    const mounted = tempFileSystem('size=1m')
    runInstallCni({ netDir: mounted, secretsDir })
    remount(mounted, 'ro')
    expect(() => openHostCniDir(mounted, 'calico-tls').sync(second, at(1000))).toThrow(
      refusal('directory-read-only', 'calico-tls'),
    )
    expect(readNames(join(mounted, 'calico-tls'))).toEqual(texts(first))
    remount(mounted, 'rw')
    expect(openHostCniDir(mounted, 'calico-tls').sync(second, at(2000))).toBe(true)
  },
)

function replaceWithFile(name: string, text: string): void {
  unlinkSync(join(tlsDir, name))
  writeFileSync(join(tlsDir, name), text)
}

function changeInPlace(name: string): void {
  chmodSync(join(tlsDir, name), 0o600)
  writeFileSync(join(tlsDir, name), 'mine')
}

function relink(target: string): void {
  unlinkSync(join(tlsDir, '..data'))
  symlinkSync(target, join(tlsDir, '..data'))
}

function remake(): void {
  rmSync(tlsDir, { recursive: true })
  mkdirSync(tlsDir)
}
