/** Owns the bill of materials (CycloneDX): made from what the bundles contain, not from what is installed. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** What of a CycloneDX document is read here. */
export interface Sbom {
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } }
  readonly components: readonly SbomComponent[]
}

export interface SbomComponent {
  readonly group?: string
  readonly name: string
  readonly version: string
  readonly licenses?: readonly License[]
  /** The texts that were found in the package. */
  readonly evidence?: { readonly licenses?: readonly License[] }
}

interface License {
  readonly expression?: string
  readonly license?: { readonly id?: string; readonly name?: string; readonly text?: LicenseText }
}

interface LicenseText {
  readonly content: string
  readonly encoding?: 'base64'
}

const require = createRequire(import.meta.url)
const tool = join(dirname(require.resolve('@cyclonedx/cyclonedx-esbuild')), '../bin/cyclonedx-esbuild-cli.js')

/** Writes the document for the metafile of a build, the same bytes for the same contents, and answers it. */
export function makeSbom(metafile: string, file: string): Sbom {
  const options = ['--output-reproducible', '--gather-license-texts', '--validate', '--output-file', file]
  execFileSync(process.execPath, [tool, ...options, metafile], { stdio: ['ignore', 'ignore', 'pipe'] })
  return JSON.parse(readFileSync(file, 'utf8')) as Sbom
}
