/** Proves what docs/image.md promises, on the image that the Dockerfile makes, in containers of it, against a real Vault. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ourAgent } from '../bench/subject.ts'
import { createTestNode, type Lab, withLab } from '../integration/agent/lab.ts'
import { readPublished } from '../integration/agent/published.ts'
import { locateServer } from '../servers/locate.ts'
import { startRealVault } from '../support/real-vault.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type Image, type ImageStore, missingForImages, openImageStore } from './buildah.ts'
import { type Container, type ContainerOptions, startContainer } from './container.ts'

const project = resolve(import.meta.dirname, '../..')
const inDist = readdirSync(join(project, 'dist'))
const missing = missingForImages()
const vault = locateServer('vault')
const megabyte = 1_000_000

describe.skipIf(missing !== undefined)(`the image${missing === undefined ? '' : ` (left out: ${missing})`}`, () => {
  let store: ImageStore
  let id: string
  let image: Image
  /** To be looked at. */
  let files: string
  /** To be run: the runtime makes what things are mounted on. */
  let root: string
  let copy: string

  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'calico-vault-agent-copy-'))
    store = openImageStore()
    id = store.build(project)
    image = store.inspect(id)
    files = store.mount(id)
    root = store.mount(id)
  })
  afterAll(() => {
    store?.remove()
    rmSync(copy, { recursive: true, force: true })
  })

  const start = (options: Partial<ContainerOptions>): Container =>
    startContainer({ image, root, uid: 10_001, ...options })

  it('holds Node, what it is linked with, the licences, and the agent: no shell, nothing set-uid', () => {
    const allowed = [
      /^app\/[\w.-]+$/,
      /^usr\/local\/(bin\/node|LICENSE)$/,
      /^lib(64)?\/([\w-]+\/)?(ld-linux-[\w-]+|lib(c|m|dl|pthread|gcc_s|stdc\+\+|atomic))\.so\.\d$/,
      /^usr\/share\/doc\/[\w-]+\/copyright$/,
    ]
    const found = filesOf(files)
    expect(found.filter((file) => !allowed.some((pattern) => pattern.test(file)))).toEqual([])
    expect(found.filter((file) => (statSync(join(files, file)).mode & 0o6022) !== 0)).toEqual([])
  })

  it('holds the files of dist/, as they are built outside, owned by root', () => {
    expect(readdirSync(join(files, 'app')).toSorted()).toEqual([...inDist, 'LICENSE'].toSorted())
    for (const file of inDist.filter((name) => name !== 'cli.cache')) {
      expect(readFileSync(join(files, 'app', file), 'utf8'), file).toBe(
        readFileSync(join(project, 'dist', file), 'utf8'),
      )
      expect(statSync(join(files, 'app', file))).toMatchObject({ uid: 0, gid: 0 })
    }
  })

  it('adds at most 2.3 MB to its base', () => {
    const sizes = readdirSync(join(files, 'app')).map((file) => statSync(join(files, 'app', file)).size)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    console.log(`the agent's layer: ${(bytes / megabyte).toFixed(2)} MB`)
    expect(bytes).toBeLessThan(2.3 * megabyte)
  })

  it('tells a runtime its user, port, entrypoint and labels', () => {
    const { version, description, license } = readManifest()
    const [, ...benchArgs] = ourAgent().command
    expect(image.config).toMatchObject({
      User: '10001:10001',
      ExposedPorts: { '9879/tcp': {} },
      Cmd: ['run'],
      Labels: {
        'org.opencontainers.image.title': 'calico-vault-agent',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.description': description,
        'org.opencontainers.image.licenses': license,
      },
    })
    // What is measured is what is shipped; the bench adds what is only good where a CA is configured.
    const flags = benchArgs.filter((arg) => arg.startsWith('--') && arg !== '--use-openssl-ca')
    expect(image.config.Entrypoint).toEqual(['node', ...flags, '/app/main.js'])
  })

  it('starts with the code cache of its own Node, under its own flags', async () => {
    const check = `import('/check/core/script-loader.ts').then(({ loadScript }) => {
      const cache = require('node:fs').readFileSync('/app/cli.cache')
      console.log(JSON.stringify({ rejected: loadScript('/app/cli.js', cache).script.cachedDataRejected }))
    })`
    const container = start({
      entrypoint: image.config.Entrypoint.slice(0, -1),
      args: ['--eval', check],
      mounts: [{ source: join(project, 'agent'), destination: '/check' }],
    })
    await container.ended
    expect(container.lines).toEqual([{ rejected: false }])
  })

  it('says what is not configured, and ends with 78', async () => {
    const container = start({})
    expect(await container.ended).toEqual({ code: 78, signal: null })
    expect(container.stderr()).toContain('VAULT_ADDR')
  })

  it('is the same layer when the same sources are built again: elsewhere, later, with nothing kept', () => {
    cpSync(project, copy, { recursive: true, filter: (source) => !/\/(node_modules|dist|\.git)$/.test(source) })
    for (const file of filesOf(copy)) utimesSync(join(copy, file), 1_700_000_000, 1_700_000_000)
    expect(store.inspect(store.build(copy, { afresh: true })).rootfs.diff_ids.at(-1)).toBe(image.rootfs.diff_ids.at(-1))
  })

  it('runs on another base (--build-arg BASE=)', async () => {
    const other = store.build(project, { base: store.node })
    const container = start({ image: store.inspect(other), root: store.mount(other), args: ['--version'] })
    expect(await container.ended).toEqual({ code: 0, signal: null })
    expect(container.output()).toBe(`calico-vault-agent ${readManifest().version} (node ${process.versions.node})\n`)
  })

  const leftOut = 'missing' in vault ? ` (left out: ${vault.missing})` : ''
  describe.skipIf('missing' in vault)(`in a container, with the real Vault${leftOut}`, () => {
    withLab(startRealVault, {}, runs, true)
  })

  function runs(lab: () => Lab): void {
    // Calico's pods: calico-node is root, kube-controllers 999 up to v3.32 and 10001 later.
    it.each([0, 999, 10_001])('runs as user %d: read-only, without a capability', async (uid) => {
      const { directory, ...node } = prepareNode(lab(), uid)
      const container = start({ uid, ...node })
      await container.nextLine(({ event }) => event === 'published')
      expect((await container.ask('/readyz')).status).toBe(200)
      expect((await container.ask('/metrics')).text).toContain('calico_vault_agent_certificate_runway_seconds{')

      expect(readPublished(directory).commonName).toBe('calico-node:node1')
      expect(statSync(join(directory, 'etcd-key'))).toMatchObject({ uid, gid: uid })
      expect(statSync(join(directory, 'etcd-key')).mode & 0o777).toBe(0o400)
      const status = readFileSync(`/proc/${container.pid()}/status`, 'utf8')
      expect(status).toMatch(new RegExp(`^Uid:(\\t${uid}){4}$`, 'm'))
      expect([...status.matchAll(/^Cap\w+:\t(.*)$/gm)].map(([, set]) => set)).toEqual(Array(5).fill('0'.repeat(16)))
      expect(status).toMatch(/^NoNewPrivs:\t1$/m)
      expect(readFileSync(`/proc/${container.pid()}/mountinfo`, 'utf8')).toMatch(/ \/ \/ ro,/)

      container.signal('SIGTERM')
      expect(await container.ended).toEqual({ code: 0, signal: null })
    })

    it('is an init container with the argument init', async () => {
      const { directory, ...node } = prepareNode(lab(), 10_001)
      const container = start({ ...node, args: ['init'] })
      expect(await container.ended).toEqual({ code: 0, signal: null })
      expect(readPublished(directory).commonName).toBe('calico-node:node1')
    })

    it('needs no code cache: where it is damaged, the agent is only slower', async () => {
      const { directory, mounts, environment } = prepareNode(lab(), 10_001)
      const damaged = join(tempDir(), 'cli.cache')
      writeFileSync(damaged, readFileSync(join(root, 'app/cli.cache')).fill(0, 0, 64))
      const cache = { source: damaged, destination: '/app/cli.cache' }
      const container = start({ environment, mounts: [...mounts, cache], args: ['init'] })
      expect(await container.ended).toEqual({ code: 0, signal: null })
      expect(readPublished(directory).commonName).toBe('calico-node:node1')
    })
  }
})

/** A node whose volumes are what a pod's would be: the certificates' belongs to the user, everything else is read-only. */
function prepareNode(lab: Lab, uid: number) {
  const { directory, tokenFile, environment } = createTestNode(lab)
  chownSync(directory, uid, uid)
  chmodSync(directory, 0o700)
  const [token, ca, secrets] = ['/var/run/secrets/vault/token', '/etc/vault/ca.crt', '/calico-secrets']
  return {
    directory,
    environment: {
      ...environment,
      VAULT_CACERT: ca,
      AGENT_AUTH_TOKEN_FILE: token,
      AGENT_DIR: secrets,
      AGENT_LISTEN: '127.0.0.1:0',
    },
    mounts: [
      { source: directory, destination: secrets, writable: true },
      { source: tokenFile, destination: token },
      { source: lab.vault.caFile, destination: ca },
    ],
  }
}

function filesOf(directory: string): string[] {
  const found = execFileSync('find', [directory, '-type', 'f'], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  return found.split('\n').flatMap((path) => (path === '' ? [] : relative(directory, path)))
}

function readManifest(): { version: string; description: string; license: string } {
  return JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as ReturnType<typeof readManifest>
}
