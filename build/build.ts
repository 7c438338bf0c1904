/** Owns `npm run build`: the bundles in dist/, the code cache and the licenses beside them, and the SBOM of what is in them. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { makeCodeCache } from './code-cache.ts'
import { mergeMetafiles, packagesByBundle } from './contents.ts'
import { licenseList } from './licenses.ts'
import { protoInBundle } from './proto.ts'
import { makeSbom } from './sbom.ts'
import { parserAlone, slimLibraries } from './slim.ts'

/** Made beside dist/ and then renamed: a program that runs from there must not lose its files for the time of a build. */
const outdir = 'dist.new'

/** Where the runbook of whoever builds is, if it is anywhere else than here. */
const runbookUrl = JSON.stringify(process.env['AGENT_RUNBOOK_URL'] ?? '')

const common = {
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  define: { 'process.env.RUNBOOK_URL_OF_BUILD': runbookUrl },
  plugins: [slimLibraries],
} satisfies BuildOptions

/** The commands beside the agent, of which no agent loads any: ES modules, so that what they share is there once. */
const commands = {
  format: 'esm',
  splitting: true,
  chunkNames: 'shared-[hash]',
  outExtension: { '.js': '.mjs' },
  // CommonJS libraries in an ES module still call this.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
} satisfies BuildOptions

/** Modules that are bundles of their own, loaded when they are needed. */
const separate: readonly (readonly [module: RegExp, bundle: string])[] = [
  [/\/background\.ts$/, './background.js'],
  [/\/on-publish\/on-publish\.ts$/, './on-publish.js'],
  [/\/probe\/probe\.ts$/, './probe.js'],
  [/\/proxy\.ts$/, './proxy.js'],
  [/\/cli\/commands\.ts$/, './commands.mjs'],
  [/\/cli\/provision\.ts$/, './provision.mjs'],
  [/\/cli\/setup-vault\.ts$/, './setup-vault.mjs'],
  [/\/cli\/rotate-ca\.ts$/, './rotate-ca.mjs'],
  [/\/cli\/doctor\.ts$/, './doctor.mjs'],
  [/\/cli\/status\.ts$/, './status.mjs'],
  [/\/status\/status-page\.ts$/, './status-page.js'],
]

const apart: Plugin = {
  name: 'apart',
  setup: (bundle) => {
    bundle.onResolve({ filter: /\.ts$/ }, ({ path, kind, resolveDir }) => {
      // However near the module is that imports it.
      const file = resolve(resolveDir, path)
      const found = kind === 'dynamic-import' && separate.find(([module]) => module.test(file))
      return found ? { path: found[1], external: true } : undefined
    })
  },
}

rmSync(outdir, { recursive: true, force: true })
const bundles = await Promise.all([
  build({ ...common, entryPoints: { main: 'agent/main.ts' }, outdir }),
  build({ ...common, outdir, ...parserAlone }),
  build({
    ...common,
    entryPoints: { background: 'agent/sidecar/background.ts' },
    outdir,
    supported: { 'dynamic-import': false },
    plugins: [slimLibraries, apart],
  }),
  build({ ...common, entryPoints: { 'status-page': 'agent/sidecar/status/status-page.ts' }, outdir }),
  build({ ...common, entryPoints: { 'on-publish': 'agent/sidecar/on-publish/on-publish.ts' }, outdir }),
  build({ ...common, entryPoints: { probe: 'agent/sidecar/gate/probe/probe.ts' }, outdir }),
  build({ ...common, entryPoints: { proxy: 'agent/vault/proxy.ts' }, outdir }),
  build({
    ...common,
    entryPoints: {
      commands: 'agent/cli/commands.ts',
      provision: 'agent/cli/provision.ts',
      'setup-vault': 'agent/cli/setup-vault.ts',
      'rotate-ca': 'agent/cli/rotate-ca.ts',
      doctor: 'agent/cli/doctor.ts',
      status: 'agent/cli/status.ts',
    },
    outdir,
    ...commands,
    plugins: [slimLibraries, protoInBundle, apart],
  }),
  build({
    ...common,
    entryPoints: { cli: 'agent/cli/cli.ts' },
    outdir,
    // `import('../agent/sidecar/background.ts')` becomes a require of the other bundle.
    supported: { 'dynamic-import': false },
    plugins: [slimLibraries, apart],
  }),
])
// The project's package.json says `module`; the bundles are CommonJS, which starts faster.
writeFileSync(`${outdir}/package.json`, '{ "type": "commonjs" }\n')
const contents = mergeMetafiles(bundles.map(({ metafile }) => metafile))
writeFileSync('dist.meta.json', JSON.stringify(contents))
const sbom = makeSbom('dist.meta.json', 'dist.cdx.json')
writeFileSync(`${outdir}/THIRD-PARTY-LICENSES`, licenseList(sbom, packagesByBundle(contents)))
await makeCodeCache(outdir)
rmSync('dist', { recursive: true, force: true })
renameSync(outdir, 'dist')
