/** Owns where a command of ours asks an agent of ours: this is nothing for other machines. */
import type { Config } from './config.ts'

/** `host:port` for a URL; an address that stands for every interface is asked on loopback. */
export function loopbackOf({ host, port }: NonNullable<Config['listen']>): string {
  if (host === '0.0.0.0') return `127.0.0.1:${port}`
  if (host === '::') return `[::1]:${port}`
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
