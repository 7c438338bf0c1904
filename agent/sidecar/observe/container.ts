/**
 * Owns telling this container from every other on the node, so that a probe on the host's network knows whose answer it has
 * (docs/adr/0013). The mount namespace is it: each container has one of its own, and what the kubelet executes in a container
 * joins that one. It needs no variable, and no pod can be given another's.
 */
import { readlinkSync } from 'node:fs'

/** On every answer of the HTTP server. */
export const containerHeader = 'agent-container'

/** Such as `mnt:[4026532841]`; undefined if there are no namespaces. */
export function readContainer(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/mnt')
  } catch {
    return undefined
  }
}
