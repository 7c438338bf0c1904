/** Owns what is known of the bundles' contents: which files, and of which packages, are in which of them. */
import { basename } from 'node:path'
import type { Metafile } from 'esbuild'

/**
 * One metafile for all bundles, of real files only: what build/slim.ts puts in the place of a module is our own text, and its
 * name would hold the path of the machine that it was built on.
 */
export function mergeMetafiles(metafiles: readonly Metafile[]): Metafile {
  const merged: Metafile = { inputs: {}, outputs: {} }
  for (const { inputs, outputs } of metafiles) {
    for (const [path, input] of Object.entries(inputs)) {
      if (isFile(path)) merged.inputs[path] = { ...input, imports: input.imports.filter((each) => isFile(each.path)) }
    }
    for (const [path, output] of Object.entries(outputs)) {
      const files = Object.entries(output.inputs).filter(([input]) => isFile(input))
      merged.outputs[path] = { ...output, inputs: Object.fromEntries(files) }
    }
  }
  return merged
}

/** The packages that a bundle has code of, by the bundle's name. */
export function packagesByBundle({ outputs }: Metafile): Map<string, Set<string>> {
  return new Map(
    Object.entries(outputs).map(([bundle, { inputs }]) => {
      const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      return [basename(bundle), new Set(used.flatMap(([path]) => packageOf(path) ?? []))]
    }),
  )
}

function isFile(path: string): boolean {
  return !/^(stub|replaced):/.test(path)
}

function packageOf(path: string): string | undefined {
  return /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]
}
