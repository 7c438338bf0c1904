/**
 * Owns running Calico's real install-cni on a pretended host: in a root directory of its own, with the certificates mounted as
 * in its pod (a mount of their own, or it would make hard links instead of copies).
 */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { InstallCniPlaces } from './install-cni.ts'
import { canMount } from './temp-dir.ts'

const program = process.env['CALICO_CNI_INSTALL']

/** Why it cannot be run here; undefined where it can. */
export const realInstallCniMissing =
  program === undefined
    ? 'CALICO_CNI_INSTALL does not name the program'
    : canMount
      ? undefined
      : 'this process may not mount'

/** Below this directory of the root stands what the agent mounts as the host's /etc/cni/net.d. */
export const netDirIn = (root: string): string => join(root, 'host/etc/cni/net.d')

/** One start of it, with SLEEP=false as in Calico's manifest. */
export async function runRealInstallCni(
  root: string,
  { secretsDir }: Pick<InstallCniPlaces, 'secretsDir'>,
): Promise<void> {
  for (const path of [
    netDirIn(root),
    join(root, 'host/opt/cni/bin'),
    join(root, 'opt/cni/bin'),
    join(root, 'calico-secrets'),
  ]) {
    mkdirSync(path, { recursive: true })
  }
  writeFileSync(join(root, 'install'), '', { mode: 0o755 })
  const script = 'mount --bind "$2" "$1/calico-secrets" && mount --bind "$3" "$1/install" && exec chroot "$1" /install'
  await promisify(execFile)('unshare', ['--mount', 'sh', '-c', script, 'sh', root, secretsDir, program ?? ''], {
    env: {
      PATH: process.env['PATH'],
      SLEEP: 'false',
      CNI_NETWORK_CONFIG: '{"key": "__ETCD_KEY_FILE__", "cert": "__ETCD_CERT_FILE__", "ca": "__ETCD_CA_CERT_FILE__"}',
    },
    timeout: 20_000,
  })
}
