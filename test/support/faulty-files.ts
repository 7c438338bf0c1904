/**
 * Owns a file system that fails: the system calls of the store, one of which is made to fail, or to be the last one of the
 * program. Everything that does not fail is real.
 */
import * as fs from 'node:fs'
import type { Files } from '../../agent/core/files.ts'

export type FileCall = keyof Files

/**
 * What happens at a call: nothing; a system error instead of it; less than was asked for (read and write); or the end of the
 * program before it or after it.
 */
export type Fault = undefined | { readonly code: string } | 'short' | 'crash-before' | 'crash-after'

/** The program ends here: not a system error, and every later call ends in it too, as nothing runs any more. */
export class Crash extends Error {
  override readonly name = 'Crash'
}

export interface FaultyFiles {
  readonly files: Files
  /** The calls so far. */
  readonly calls: readonly FileCall[]
}

/** @param faultAt is asked before each call, with the number of the call, from 0 */
export function createFaultyFiles(faultAt: (index: number, call: FileCall) => Fault): FaultyFiles {
  const calls: FileCall[] = []
  const open = new Set<number>()
  let crashed = false

  function run(call: FileCall, args: readonly unknown[]): unknown {
    const result = (fs[call] as (...rest: readonly unknown[]) => unknown)(...args)
    if (call === 'openSync') open.add(result as number)
    if (call === 'closeSync') open.delete(args[0] as number)
    return result
  }

  function failing(call: FileCall, code: string, args: readonly unknown[]): never {
    // A descriptor is closed even where close fails (close(2)).
    if (call === 'closeSync') run(call, args)
    throw Object.assign(new Error(`${code}: a fault, ${call}`), { code })
  }

  /** As the kernel does, whose process ends. */
  function crash(call: FileCall): never {
    for (const descriptor of open) fs.closeSync(descriptor)
    open.clear()
    throw new Crash(call)
  }

  function invoke(call: FileCall, args: readonly unknown[]): unknown {
    if (crashed) throw new Crash(call)
    const fault = faultAt(calls.length, call)
    calls.push(call)
    if (typeof fault === 'object') return failing(call, fault.code, args)
    crashed = fault === 'crash-before' || fault === 'crash-after'
    if (fault === 'crash-before') crash(call)
    const result = fault === 'short' ? runShort(call, args) : run(call, args)
    if (fault === 'crash-after') crash(call)
    return result
  }

  function runShort(call: FileCall, args: readonly unknown[]): unknown {
    const [descriptor, buffer, offset] = args as [number, Buffer, number]
    if (call === 'writeSync') return fs.writeSync(descriptor, buffer, offset, Math.min(7, buffer.length - offset))
    if (call === 'readSync') return fs.readSync(descriptor, buffer, offset, Math.min(7, buffer.length - offset), null)
    return run(call, args)
  }

  const files = new Proxy({} as Files, {
    get:
      (_target, call) =>
      (...args: readonly unknown[]) =>
        invoke(call as FileCall, args),
  })
  return { files, calls }
}
