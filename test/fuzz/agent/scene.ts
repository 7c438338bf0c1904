/**
 * Owns what a case begins with: the files of a node and its environment, and what in it is damaged. Files that somebody hands over
 * can be mended, as can the answers of Vault; what the agent keeps itself, it has to mend.
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { damageAnswer, damageText, type HttpAnswer } from './damage.ts'
import type { Dice } from './dice.ts'
import { type Bundle, hourMs, type Material } from './material.ts'
import { type AnswerName, answerNames, type StubVault } from './stub-vault.ts'

export interface Scene {
  readonly environment: Readonly<Record<string, string>>
  /** The target's directory. */
  readonly directory: string
  /** The names under which a certificate may be published: a static Secret has its own. */
  readonly names: readonly string[]
  /** In a line, for whoever reads of a failure. */
  readonly about: string
  readonly damage: (name: AnswerName, answer: HttpAnswer) => Buffer | undefined
  /** Puts right what others have handed over. */
  mend(): void
}

const logins = ['jwt', 'jwt', 'jwt', 'token', 'approle', 'cert'] as const

export function createScene(
  root: string,
  material: Material,
  stub: Pick<StubVault, 'plain' | 'tls'>,
  nowMs: number,
  dice: Dice,
): Scene {
  /** What may be damaged: a path, what stands there when it is good, and whether somebody else writes it. */
  const inputs: { readonly path: string; readonly text: string; readonly isHandedOver: boolean }[] = []
  const environment: Record<string, string> = {
    NODE_NAME: 'node1',
    AGENT_DIR: join(root, 'secrets'),
    AGENT_LISTEN: 'off',
  }

  const hand = (variable: string | undefined, name: string, text: string, isHandedOver = true): void => {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    inputs.push({ path, text, isHandedOver })
    if (variable !== undefined) environment[variable] = path
  }
  const handBundle = (name: string, bundle: Bundle, isHandedOver: boolean): void => {
    hand(undefined, `${name}/etcd-cert`, bundle.certificate, isHandedOver)
    hand(undefined, `${name}/etcd-key`, bundle.key, isHandedOver)
    hand(undefined, `${name}/etcd-ca`, bundle.ca, isHandedOver)
  }
  /** As the agent writes it: a generation behind a link. */
  const keepBundle = (name: string, bundle: Bundle): void => {
    const generation = '..2026_01_01_00_00_00.000_0'
    handBundle(`${name}/${generation}`, bundle, false)
    for (const file of ['etcd-cert', 'etcd-key']) chmodSync(join(root, name, generation, file), 0o400)
    symlinkSync(generation, join(root, name, '..data'))
    for (const file of ['etcd-cert', 'etcd-key', 'etcd-ca']) symlinkSync(`..data/${file}`, join(root, name, file))
  }
  const keepRecord = (name: string): void => {
    const issuedAtMs = [2, 1].map((hours) => nowMs - hours * hourMs)
    hand(undefined, `${name}/..issued`, `${JSON.stringify({ issuedAtMs })}\n`, false)
  }

  mkdirSync(join(root, 'secrets'))
  const source = dice.of(['pki', 'pki', 'pki', 'pki', 'kv', 'file'] as const)
  const start = dice.of(['nothing', 'good', 'due', 'due'] as const)
  environment['AGENT_SOURCE'] = source
  if (start !== 'nothing') keepBundle('secrets', material[start])
  const hasState = dice.oneIn(3)
  if (hasState) {
    environment['AGENT_STATE_DIR'] = join(root, 'state')
    keepBundle('state/calico-node', material[dice.of(['good', 'due'] as const)])
  }
  if (source === 'pki' && dice.oneIn(3)) keepRecord(hasState ? 'state/calico-node' : 'secrets')
  const hasBootstrap = dice.oneIn(4)
  if (hasBootstrap) {
    environment['AGENT_BOOTSTRAP_DIR'] = join(root, 'bootstrap')
    handBundle('bootstrap', material.otherName, true)
  }
  if (dice.oneIn(4)) hand('AGENT_ETCD_CA_FILE', 'etcd-ca.pem', material.etcdCa.certificatePem)
  if (source === 'file') {
    environment['AGENT_SOURCE_DIR'] = join(root, 'source')
    handBundle('source', material.newer, true)
  } else {
    const login = dice.of(logins)
    environment['AGENT_AUTH_METHOD'] = login
    const isTls = login === 'cert' || dice.oneIn(20)
    environment['VAULT_ADDR'] = isTls ? stub.tls : stub.plain
    if (isTls) hand('VAULT_CACERT', 'vault-ca.pem', material.tlsCa.certificatePem)
    if (login === 'jwt') hand('AGENT_AUTH_TOKEN_FILE', 'token', material.token)
    if (login === 'token') hand('AGENT_VAULT_TOKEN_FILE', 'vault-token', material.vaultToken)
    if (login === 'approle') hand('AGENT_AUTH_ROLE_ID_FILE', 'role-id', material.roleId)
    if (login === 'approle') hand('AGENT_AUTH_SECRET_ID_FILE', 'secret-id', material.secretId)
    if (login === 'cert') hand('VAULT_CLIENT_CERT', 'client-cert.pem', material.tlsClient.certificatePem)
    if (login === 'cert') hand('VAULT_CLIENT_KEY', 'client-key.pem', material.tlsClient.privateKeyPem)
  }

  // One or two of all that is read are damaged: files, and the answers of this way.
  const asked =
    source === 'file'
      ? []
      : answerNames.filter((name) =>
          source === 'kv' ? name !== 'sign' && !name.startsWith('issuer') : name !== 'secret',
        )
  const badAnswers = new Set<AnswerName>()
  const badFiles = new Set<(typeof inputs)[number]>()
  for (let left = dice.of([1, 1, 2]); left > 0; left--) {
    const isAnswer = asked.length > 0 && dice.oneIn(2)
    if (isAnswer) badAnswers.add(dice.of(asked))
    else badFiles.add(dice.of(inputs))
  }
  // So that the state directory and the static Secret are looked at.
  const isDown = source !== 'file' && (hasState || hasBootstrap) && dice.oneIn(2)
  const texts = inputs.map(({ text }) => text)
  for (const { path, text } of badFiles) {
    chmodSync(path, 0o600)
    writeFileSync(path, damageText(text, texts, dice))
  }
  const what = [
    ...[...badFiles].map(({ path }) => path.slice(root.length + 1)),
    ...badAnswers,
    ...(isDown ? ['Vault is down'] : []),
  ]

  return {
    environment,
    directory: join(root, 'secrets'),
    names: hasBootstrap ? ['calico-node:node1', 'static'] : ['calico-node:node1'],
    about: `source ${source}, ${environment['AGENT_AUTH_METHOD'] ?? 'no'} login, published: ${start}; damaged: ${what.join(', ')}`,
    damage: (name, answer) => {
      if (isDown) return Buffer.from('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n')
      return badAnswers.has(name) ? damageAnswer(answer, dice) : undefined
    },
    mend() {
      for (const { path, text, isHandedOver } of badFiles) if (isHandedOver) writeFileSync(path, text)
    },
  }
}
