/**
 * Owns an image like the official `node:24-bookworm-slim`, for machines without a registry: Debian by debootstrap, the
 * project's own Node and this machine's npm. The tree is kept in the cache between runs.
 */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { cacheDirectory } from '../servers/locate.ts'

const debian = 'bookworm'
const nodePackage = resolve(import.meta.dirname, '../../node_modules/node/node_modules')

/** The path of the tree as an archive, which takes half a minute and Debian's mirror where it is not in the cache. */
export function nodeArchive(): string {
  const archive = join(cacheDirectory('images'), `node-${process.versions.node}-${debian}-${process.arch}.tar`)
  if (existsSync(archive)) return archive
  const scratch = mkdtempSync(join(tmpdir(), 'calico-vault-agent-debian-'))
  try {
    makeArchive(archive, join(scratch, 'root'))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return archive
}

/** @param build makes an image of a directory with a Dockerfile, and answers its name */
export function makeNodeBase(directory: string, build: (context: string) => string): string {
  const context = join(directory, 'node')
  mkdirSync(context)
  copyFileSync(nodeArchive(), join(context, 'root.tar'))
  const certificates = certificatesOfHost()
  const lines = ['FROM scratch', 'ADD root.tar /']
  if (certificates !== undefined) {
    copyFileSync(certificates, join(context, 'ca.pem'))
    lines.push('COPY ca.pem /ca.pem', 'ENV NODE_EXTRA_CA_CERTS=/ca.pem')
  }
  writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`)
  return build(context)
}

function makeArchive(archive: string, tree: string): void {
  execFileSync('debootstrap', ['--variant=minbase', debian, tree], { stdio: ['ignore', 'ignore', 'pipe'] })
  const local = join(tree, 'usr/local')
  const [npm, node] = [join(local, 'lib/node_modules/npm'), join(local, 'bin/node')]
  copyFileSync(process.execPath, node)
  copyFileSync(join(nodePackage, `node-${process.platform}-${process.arch}/LICENSE`), join(local, 'LICENSE'))
  cpSync(hostNpm(), npm, { recursive: true })
  execFileSync('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm')])
  mkdirSync(dirname(archive), { recursive: true })
  const temporary = `${archive}.${process.pid}.tmp`
  execFileSync('tar', ['--create', '--file', temporary, '--directory', tree, '.'])
  renameSync(temporary, archive)
}

/** The root of the npm on the PATH: two directories above its program. */
function hostNpm(): string {
  const program = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  return dirname(dirname(realpathSync(program)))
}

/** Behind a proxy that ends TLS, npm in the build has to trust what npm outside trusts. */
function certificatesOfHost(): string | undefined {
  return process.env['NODE_EXTRA_CA_CERTS']
}
