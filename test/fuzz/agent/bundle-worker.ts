/**
 * Owns the worker as one file, with the libraries as they are in dist/: what is left out of them there (build/slim.ts) must not
 * change what the agent makes of an answer.
 */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { slimLibraries } from '../../../build/slim.ts'

/** Answers with the file, which is in `directory`. dist/ must have been built. */
export async function bundleWorker(directory: string): Promise<string> {
  const outfile = join(directory, 'worker.mjs')
  await build({
    entryPoints: [join(import.meta.dirname, 'worker.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    logLevel: 'warning',
    sourcemap: 'inline',
    // CommonJS libraries in an ES module still call this.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    plugins: [slimLibraries],
  })
  copyFileSync(join(import.meta.dirname, '../../../dist/llhttp.wasm'), join(directory, 'llhttp.wasm'))
  return outfile
}
