/**
 * Owns what Calico's install-cni does with the TLS files, system call by system call, so that a test can let something else
 * happen after any of them. As cni-plugin/pkg/install/install.go of v3.32.1 does it.
 * @see https://github.com/projectcalico/calico/blob/v3.32.1/cni-plugin/pkg/install/install.go
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

export interface InstallCniPlaces {
  /** /host/etc/cni/net.d */
  readonly netDir: string
  /** /calico-secrets */
  readonly secretsDir: string
}

const names = ['etcd-ca', 'etcd-cert', 'etcd-key']

/** One start of install-cni; it stands still at each `yield`. Errors of RemoveAll and of a copy are only warnings to it. */
export function* installCniSteps({ netDir, secretsDir }: InstallCniPlaces): Generator<string, void> {
  const tlsDir = join(netDir, 'calico-tls')
  for (const name of ifThere(() => readdirSync(tlsDir)) ?? []) {
    ifThere(() => rmSync(join(tlsDir, name), { recursive: true }))
    yield `removed ${name}`
  }
  // Something that came meanwhile, or a mount: RemoveAll fails, the rest goes on.
  ifThere(() => rmdirSync(tlsDir))
  yield 'removed the directory'
  if (!names.some((name) => existsSync(join(secretsDir, name)))) return
  mkdirSync(tlsDir, { recursive: true })
  yield 'made the directory'
  for (const name of names) {
    const [from, to] = [join(secretsDir, name), join(tlsDir, name)]
    if (isUpToDate(from, to)) continue
    ifThere(() => writeFileSync(`${to}.tmp`, readFileSync(from)))
    yield `copied ${name}`
    ifThere(() => renameSync(`${to}.tmp`, to))
    yield `renamed ${name}`
    ifThere(() => chmodSync(to, statSync(from).mode & 0o777))
    yield `set the mode of ${name}`
  }
}

export function runInstallCni(places: InstallCniPlaces): void {
  const steps = installCniSteps(places)
  while (steps.next().done === false);
}

function isUpToDate(from: string, to: string): boolean {
  return (
    ifThere(() => statSync(to).mode === statSync(from).mode && readFileSync(to).equals(readFileSync(from))) ?? false
  )
}

function ifThere<Result>(operate: () => Result): Result | undefined {
  try {
    return operate()
  } catch (error) {
    if (error instanceof Error && 'code' in error && ['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(String(error.code)))
      return undefined
    throw error
  }
}
