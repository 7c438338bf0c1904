import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

type Versions = Readonly<Record<string, string>>

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
  'dependencies' | 'devDependencies' | 'overrides',
  Versions
>
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, { version: string; resolved?: string; integrity?: string; dev?: boolean }>
}
const installed = Object.entries(lock.packages).filter(([path]) => path !== '')

describe('what is installed', () => {
  it.each(['dependencies', 'devDependencies', 'overrides'] as const)('%s are exact versions', (kind) => {
    const ranges = Object.entries(manifest[kind]).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    expect(ranges).toEqual([])
  })

  it('is locked at those versions', () => {
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version)
    }
  })

  it('is verified by its hash, and comes from whatever registry is configured', () => {
    expect(installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([])
    expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  })
})
