/** Owns what is wrong with files that the agent reads: damaged certificates, a token that is touched all the time, a volume's group. */
import { chmodSync, chownSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCa } from '../../support/certificates.ts'
import { withDamagedKey, withUnknownAlgorithm } from '../../support/damaged.ts'
import { tempDir } from '../../support/temp-dir.ts'
import type { FaultRow, MatrixRow, Outcome, Setting, Stage } from '../row.ts'
import { createStage } from '../stage.ts'
import { watchDirectory } from '../watch.ts'

const group = 'files'
const volumeGid = 54_322
const isRoot = process.getuid?.() === 0
const caFile = ({ scratch }: Setting): string => join(scratch, 'etcd-ca.pem')
const etcdCa = await createCa({ commonName: 'etcd CA' })
const odd = await createCa({ commonName: 'Odd CA' })

function damagedCa(name: string, damage: (pem: string) => string): FaultRow {
  return {
    group,
    name: `AGENT_ETCD_CA_FILE is given ${name}`,
    reasons: [],
    env: (setting) => {
      writeFileSync(caFile(setting), etcdCa.certificatePem)
      return { AGENT_ETCD_CA_FILE: caFile(setting) }
    },
    inject: (stage) => writeFileSync(caFile(stage), etcdCa.certificatePem + damage(odd.certificatePem)),
    recover: (stage) => writeFileSync(caFile(stage), etcdCa.certificatePem),
  }
}

export const fileRows: readonly FaultRow[] = [
  damagedCa('a CA with a key that cannot be decoded', withDamagedKey),
  damagedCa('a CA with an algorithm that nobody knows', withUnknownAlgorithm),
  touched(),
  {
    group,
    name: 'the volume belongs to a group (fsGroup)',
    reasons: [],
    leftOut: isRoot ? undefined : 'needs root, to give a directory to another group',
    env: () => ({ AGENT_FILE_MODE: '0440' }),
    directory(onEnd) {
      const directory = tempDir(onEnd)
      chownSync(directory, 0, volumeGid)
      chmodSync(directory, 0o2770)
      return directory
    },
    inject: () => {},
    recover({ directory }) {
      const { gid } = statSync(join(directory, 'etcd-key'))
      if (gid !== volumeGid) throw new Error(`the published key belongs to group ${gid}`)
    },
  },
]

/** As by a program that writes the same token again and again: nothing that would help has changed. */
function touched(): FaultRow {
  let timer: NodeJS.Timeout | undefined
  return {
    group,
    name: 'the token file is touched five times a second, and Vault is away',
    reasons: ['vault-unreachable'],
    async inject({ proxy, tokenFile, onEnd }) {
      await proxy.close()
      timer = setInterval(() => utimesSync(tokenFile, new Date(), new Date()), 200)
      onEnd(() => clearInterval(timer))
    },
    recover({ proxy }) {
      clearInterval(timer)
      return proxy.open()
    },
  }
}

/** Damaged while no agent runs: the next start replaces it. Readers that come before it see the damage, so it is not watched. */
function damagedAtStart(name: string, damage: (directory: string) => void): MatrixRow {
  return {
    group,
    name: `${name}, and the agent is started`,
    async run({ lab, node, onEnd }): Promise<Outcome> {
      const stage: Stage = await createStage(
        { group, name, reasons: [], inject: () => {}, recover: () => {} },
        lab,
        node,
        onEnd,
      )
      stage.agent.signal('SIGKILL')
      await stage.agent.ended
      damage(stage.directory)
      const startedAt = performance.now()
      const again = stage.startAgain()
      await again.nextLine(({ event }) => event === 'published')
      const recoveredAfterSeconds = (performance.now() - startedAt) / 1000
      const watch = watchDirectory(stage.directory, `calico-node:${node}`)
      onEnd(() => watch.stop())
      again.signal('SIGHUP')
      await again.nextLine(({ event, reason }) => event === 'published' && reason === 'renewal-requested')
      watch.stop()
      const { lost, bad } = watch
      const outcome = 'replaced by a good one; renewals go on'
      return { group, name: this.name, outcome, recoveredAfterSeconds, lost, bad: bad.length, problems: bad }
    },
  }
}

/** In the subject's public key: Node's getter throws, or ends the process, for hundreds of such bits. */
function flipBit(file: string): void {
  const [, head = '', body = '', tail = ''] =
    /^([^\n]*\n)([\s\S]*?)(\n-----END[\s\S]*)$/.exec(readFileSync(file, 'utf8')) ?? []
  const der = Buffer.from(body, 'base64')
  const point = der.indexOf(Buffer.from('030107034200', 'hex'))
  const at = point === -1 ? Math.floor(der.length / 2) : point + 10
  der.writeUInt8(der.readUInt8(at) ^ 1, at)
  rewrite(file, `${head}${der.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')}${tail}`)
}

function rewrite(file: string, text: string): void {
  chmodSync(file, 0o600)
  writeFileSync(file, text)
}

export const damagedRows: readonly MatrixRow[] = [
  damagedAtStart('one bit of etcd-cert is flipped', (directory) => flipBit(join(directory, 'etcd-cert'))),
  damagedAtStart('etcd-ca is given a CA that cannot be decoded', (directory) => {
    const file = join(directory, 'etcd-ca')
    rewrite(file, withDamagedKey(odd.certificatePem) + readFileSync(file, 'utf8'))
  }),
]
