/** Owns turning a bundle into a runnable script, with or without the machine code of an earlier run. */
import { readFileSync } from 'node:fs'
import { constants, Script } from 'node:vm'

/** What node:module wraps a CommonJS module into, as far as the bundles use it. */
type ModuleFunction = (exports: object, require: NodeJS.Require, filename: string, directory: string) => void

export interface LoadedScript {
  readonly script: Script
  readonly run: ModuleFunction
}

export function loadScript(filename: string, cachedData: Buffer | undefined): LoadedScript {
  const source = `(function (exports, require, __filename, __dirname) {${readFileSync(filename, 'utf8')}\n})`
  const script = new Script(source, {
    filename,
    cachedData,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  return { script, run: script.runInThisContext() as ModuleFunction }
}
