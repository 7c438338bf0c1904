/**
 * Proves at the level of the process that bad input (directories, token files, certificates in place) is told in one clear
 * message, and that nothing is destroyed. Every case is a new agent against a Vault that would sign.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type AgentProcessOptions, spawnAgent } from '../../support/agent-process.ts'
import { createCa, type LeafOptions } from '../../support/certificates.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import type { ServiceAccountTokenOptions } from '../../support/service-account.ts'
import { changed, createTestNode, type Lab, type TestNode, withLab } from './lab.ts'
import { entriesOf, readPublished } from './published.ts'

interface Case {
  readonly token?: ServiceAccountTokenOptions
  /** Spoils what is good. */
  readonly spoil?: (node: TestNode) => void
  readonly env?: (node: TestNode) => Record<string, string | undefined>
  readonly options?: AgentProcessOptions
  /** Of the message on standard error, in which the directories' names are `DIR` and `TOKEN`. */
  readonly says: RegExp
}

const isRoot = process.getuid?.() === 0
const nobody = 65_534
const canUnshare = spawnSync('unshare', ['-rm', 'true']).status === 0

/** The target's directory on a file system of its own, which nobody else sees. */
const mounted = (options: string, then: string): AgentProcessOptions => ({
  wrapper: ['unshare', '-rm', 'sh', '-c', `mount -t tmpfs -o ${options} none "$AGENT_DIR" && ${then} exec "$@"`, 'sh'],
})

const cases: Readonly<Record<string, Case>> = {
  'the directory is missing': {
    spoil: ({ directory }) => rmSync(directory, { recursive: true }),
    says: /^DIR: ENOENT.*\n {2}Mount a volume there\.$/,
  },
  'a file is in the place of the directory': {
    spoil: ({ directory }) => {
      rmSync(directory, { recursive: true })
      writeFileSync(directory, 'mine')
    },
    says: /^DIR: ENOTDIR.*\n {2}Move it away\. The agent never deletes what it did not make\.$/,
  },
  'a directory is in the place of a file': {
    spoil: ({ directory }) => mkdirSync(join(directory, 'etcd-key')),
    says: /^DIR(\/etcd-key is neither a file nor a link|: .*EISDIR.*|\/etcd-key.*)\n {2}Move it away/,
  },
  'the token file is missing': {
    spoil: ({ tokenFile }) => rmSync(tokenFile),
    says: /^ENOENT: .* 'TOKEN'\n {2}Mount it, or correct its path\.$/,
  },
  'the token file is empty': {
    spoil: ({ tokenFile }) => writeFileSync(tokenFile, ' \n'),
    says: /^TOKEN is empty\n {2}Check what writes the file\.$/,
  },
  'the token file holds no JWT': {
    spoil: ({ tokenFile }) => writeFileSync(tokenFile, 'hello'),
    says: /^TOKEN does not hold a JWT\n {2}Check what writes the file\.$/,
  },
  'the token file is a directory': {
    spoil: ({ tokenFile }) => {
      rmSync(tokenFile)
      mkdirSync(tokenFile)
    },
    says: /^TOKEN is not a regular file but a directory\n {2}Mount it, or correct its path\.$/,
  },
  'the token file is huge': {
    spoil: ({ tokenFile }) => writeFileSync(tokenFile, 'a'.repeat(100_000)),
    says: /^TOKEN has 100000 bytes; more than 65536 are not read\n/,
  },
  'the token has expired': {
    token: { startsInSeconds: -7200, expiresInSeconds: -3600 },
    says: /^TOKEN expired at 20\S+; POST https:\S+ 400 .*token is expired\n {2}The kubelet should renew it/,
  },
  'VAULT_CACERT is missing': {
    env: () => ({ VAULT_CACERT_BYTES: undefined, VAULT_CACERT: '/nowhere/ca.pem' }),
    says: /^VAULT_CACERT: ENOENT.*'\/nowhere\/ca.pem'\n {2}Check the file that the message names\.$/,
  },
  'VAULT_CACERT holds something else': {
    env: ({ tokenFile }) => ({ VAULT_CACERT_BYTES: undefined, VAULT_CACERT: tokenFile }),
    says: /^VAULT_CACERT: there is no PEM certificate in it\n/,
  },
  'AGENT_ETCD_CA_FILE holds something else': {
    env: ({ tokenFile }) => ({ AGENT_ETCD_CA_FILE: tokenFile }),
    says: /^AGENT_ETCD_CA_FILE: there is no PEM certificate in it\n/,
  },
  'access to the directory is denied': {
    spoil: ({ root, directory, tokenFile }) => {
      chmodSync(root, 0o755)
      chmodSync(tokenFile, 0o644)
      chmodSync(directory, 0o555)
    },
    ...(isRoot ? { options: { uid: nobody } } : {}),
    says: /^DIR: EACCES.*\n {2}Check its owner and the user of the agent\.$/,
  },
}

const mountCases: Readonly<Record<string, Case>> = {
  'the file system is read-only': {
    options: mounted('ro,size=64k', ''),
    says: /^DIR: EROFS.*\n {2}Mount an emptyDir without readOnly, not a Secret\.$/,
  },
  'the file system is full': {
    options: mounted('size=8k', 'head -c 8192 /dev/zero > "$AGENT_DIR/foreign";'),
    says: /^DIR: ENOSPC.*\n {2}Raise the sizeLimit of the volume or free space\.$/,
  },
  'no inode is left': {
    options: mounted('nr_inodes=2', ': > "$AGENT_DIR/foreign";'),
    says: /^DIR: ENOSPC.*\n {2}Raise the sizeLimit of the volume or free space\.$/,
  },
}

describe('bad input', () => {
  withLab(startDevVault, {}, (lab) => {
    it.each(Object.entries(cases))('%s', async (_, each) => {
      expect(await runInit(lab(), each)).toEqual(oneMessage(each))
    })

    it.skipIf(!canUnshare).each(Object.entries(mountCases))(
      `%s${canUnshare ? '' : ' (left out: unshare -rm is not allowed here)'}`,
      async (_, each) => {
        expect(await runInit(lab(), each)).toEqual(oneMessage(each))
      },
    )

    it('what nobody knows in the directory stays', async () => {
      const { environment, directory } = createTestNode(lab())
      writeFileSync(join(directory, 'notes.txt'), 'mine')
      symlinkSync('nowhere', join(directory, '..data_tmp'))
      mkdirSync(join(directory, 'sub'))
      const agent = spawnAgent(environment, { args: ['init'] })
      expect(await agent.ended, agent.output()).toMatchObject({ code: 0 })
      expect(
        entriesOf(directory)
          .filter((name) => !name.startsWith('..'))
          .toSorted(),
      ).toEqual(['etcd-ca', 'etcd-cert', 'etcd-key', 'notes.txt', 'sub'])
      expect(entriesOf(directory)).not.toContain('..data_tmp')
      expect(readFileSync(join(directory, 'notes.txt'), 'utf8')).toBe('mine')
    })

    it('10 MB in the place of the certificate are not read, not replaced, and told', async () => {
      const { environment, directory } = createTestNode(lab())
      writeFileSync(join(directory, 'etcd-cert'), Buffer.alloc(10_000_000, 'x'))
      const agent = spawnAgent(environment)
      const kept = await agent.nextLine(({ event }) => event === 'renewal-failed')
      expect(kept).toMatchObject({ reason: 'directory-occupied' })
      expect(kept.error).toContain('etcd-cert has 10000000 bytes; more than 1048576 are not read')
      expect(entriesOf(directory)).toEqual(['etcd-cert'])
    })

    it.each(Object.entries(staleCertificates))('a certificate in place %s is replaced', async (_, options) => {
      const { environment, directory } = createTestNode(lab())
      const ca = await createCa({ notBefore: daysFromNow(-3) })
      const leaf = await ca.issue({ commonName: 'calico-node:node1', ...options.leaf })
      const other = await ca.issue()
      writeFileSync(join(directory, 'etcd-ca'), ca.certificatePem)
      writeFileSync(join(directory, 'etcd-cert'), options.pem ?? leaf.certificatePem)
      writeFileSync(join(directory, 'etcd-key'), options.otherKey === true ? other.privateKeyPem : leaf.privateKeyPem)
      const agent = spawnAgent(environment)
      const line = await agent.nextLine(({ event }) => event === 'published')
      expect(line).toMatchObject({ reason: options.reason })
      expect(readPublished(directory).commonName).toBe('calico-node:node1')
    })
  })
})

const daysFromNow = (days: number): Date => new Date(Date.now() + days * 86_400_000)

const staleCertificates: Readonly<
  Record<string, { leaf?: LeafOptions; pem?: string; otherKey?: boolean; reason: string }>
> = {
  'of another name': { leaf: { commonName: 'calico-node:node2' }, reason: 'wrong-name' },
  'that has expired': { leaf: { notBefore: daysFromNow(-2), notAfter: daysFromNow(-1) }, reason: 'expired' },
  'that is not valid yet': { leaf: { notBefore: daysFromNow(1), notAfter: daysFromNow(2) }, reason: 'not-yet-valid' },
  'without clientAuth': { leaf: { client: false, server: true }, reason: 'not-client-auth' },
  'of another key': { otherKey: true, reason: 'key-mismatch' },
  'that is garbage': {
    pem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    reason: 'malformed',
  },
}

/** It ends with 69 and exactly one message, and leaves everything as it was. */
function oneMessage({ says }: Case): object {
  return { end: { code: 69, signal: null }, messages: [expect.stringMatching(says)], isUntouched: true }
}

async function runInit(lab: Lab, { token = {}, spoil, env, options }: Case): Promise<object> {
  const node = createTestNode(lab, { token, env: { VAULT_CACERT: undefined, VAULT_CACERT_BYTES: lab.vault.caPem } })
  spoil?.(node)
  const environment = changed(node.environment, env?.(node) ?? {})
  // What was signed before the directory refused it stays counted.
  const isNoRecord = (name: string): boolean => !name.endsWith('..issued')
  const entries = (): string =>
    readdirSync(node.root, { recursive: true, encoding: 'utf8' }).filter(isNoRecord).toSorted().join()
  const before = entries()
  const agent = spawnAgent(environment, { args: ['init'], ...options })
  // It would go on trying; the failure of its last try is what it ends with.
  await agent.nextLine(({ event }) => event === 'renewal-failed')
  agent.signal('SIGTERM')
  const end = await agent.ended
  const messages = agent
    .stderr()
    .replaceAll(node.directory, 'DIR')
    .replaceAll(node.tokenFile, 'TOKEN')
    .split('calico-vault-agent: ')
    .slice(1)
    .map(withoutCode)
  return { end, messages, isUntouched: entries() === before }
}

/** Detail and advice, of a message that says what happened, names its code, and points to that code's section of the runbook. */
function withoutCode(message: string): string {
  const match = /^\S.* \(([-a-z]+)\)\n {2}(.*)\n {2}More: docs\/runbook\.md#\1\n$/s.exec(message)
  return match?.[2] ?? `of another form: ${message}`
}
