/** Owns where the measured program writes: in memory, as the volume of Calico's certificates is. */
import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'

export function memoryDirectory(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}
