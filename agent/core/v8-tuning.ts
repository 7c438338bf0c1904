/**
 * Owns the tricks with the runtime that make the agent start fast and stay small, all of them measured (docs/adr/0004): each
 * is one call here, and leaving any of them out changes nothing but time and memory.
 */
import { setDefaultCACertificates } from 'node:tls'
import { setFlagsFromString } from 'node:v8'

/**
 * Before a connection to Vault: if its CA is configured, Node need not parse the 140 root certificates that it ships. The
 * same CA is given with the connection itself, so this is never what decides whom to trust.
 */
export function prepareConnection({ ca }: { readonly ca: string | undefined }): void {
  if (ca !== undefined) setDefaultCACertificates([ca])
}

/** Before undici compiles its HTTP parser (WebAssembly): the baseline code is enough for a handful of answers a day. */
export function keepWasmSmall(): void {
  for (const flag of ['--no-wasm-dynamic-tiering', '--no-wasm-tier-up']) setFlagsFromString(flag)
}

/** Once everything is loaded: a program that is idle for hours needs no optimizing compiler, and its pages stay unused. */
export function disableJit(): void {
  for (const flag of ['--no-opt', '--no-maglev', '--no-sparkplug', '--single-threaded', '--optimize-for-size']) {
    setFlagsFromString(flag)
  }
}
