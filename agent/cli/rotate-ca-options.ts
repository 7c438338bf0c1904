/** Owns the options of `rotate-ca`: which there are, which go together, and what is wrong with them. */
import { type Command, Option } from 'commander'
import { parseDuration } from '../core/duration.ts'
import type { NewRoot } from '../operator/ca-rotation/state.ts'
import { type KeyType, keyTypes } from '../pki/key.ts'
import { addVaultOptions, type ConnectionSettings, type GivenConnection, readConnection } from './connection-options.ts'
import { UsageError } from './failure.ts'
import { listOf, nodesOf } from './node-options.ts'
import { addPlanOptions, outputOption } from './plan-options.ts'

type Action = RotateCaOptions['action']

export interface RotateCaOptions {
  readonly action: 'plan' | 'apply' | 'status'
  readonly mount: string
  /** Undefined: the one that signs now. */
  readonly issuer: string | undefined
  readonly root: NewRoot | undefined
  readonly retire: readonly string[]
  readonly etcdTrustsNew: boolean
  /** URLs. */
  readonly agents: readonly string[]
  readonly prometheus: string | undefined
  readonly prometheusTokenFile: string | undefined
  readonly selector: string
  readonly nodes: readonly string[]
  /** `-` is standard input. */
  readonly nodesFile: string | undefined
  readonly count: number
  readonly without: readonly string[]
  /** Undefined: as long as it takes. */
  readonly waitMs: number | undefined
  readonly pollMs: number
  readonly yes: boolean
  readonly detailedExitcode: boolean
  readonly output: 'text' | 'json'
  readonly connection: ConnectionSettings
}

/** As commander reads them. */
type Given = Partial<
  Pick<RotateCaOptions, 'etcdTrustsNew' | 'yes' | 'detailedExitcode' | 'output'> &
    Record<
      | 'mount'
      | 'issuer'
      | 'commonName'
      | 'ttl'
      | 'keyType'
      | 'retire'
      | 'agents'
      | 'prometheus'
      | 'prometheusTokenFile'
      | 'selector'
      | 'nodes'
      | 'nodesFile'
      | 'count'
      | 'without'
      | 'wait'
      | 'poll',
      string
    >
> &
  GivenConnection

export function addRotateCa(add: (action: Action) => Command, done: (options: RotateCaOptions) => void): void {
  for (const action of ['plan', 'apply', 'status'] as const) {
    const command = add(action)
    const isPlanned = action !== 'status'
    command
      .option('--mount <path>', 'the PKI mount', 'pki')
      .option(
        '--issuer <name>',
        isPlanned
          ? 'the issuer that is to sign, by name or id; to go back, name the old one'
          : 'the issuer that is to sign, by name or id (default: the one that signs now)',
      )
    if (isPlanned) {
      command
        .option('--common-name <name>', 'if there is no such issuer, make it: a root CA of this name')
        .option('--ttl <duration>', 'how long that CA lives', '87600h')
        .addOption(new Option('--key-type <type>', 'its key').choices(keyTypes).default(keyTypes[0]))
        .option('--etcd-trusts-new', 'you say: every etcd member has the new CA in --trusted-ca-file')
    }
    command
      .option('--retire <names>', 'the issuers to delete at the end, by name or id, with commas')
      .option('--agents <addresses>', "the agents' metrics, host:port or URL, with commas; each must answer")
      .option('--prometheus <url>', 'a Prometheus that has their metrics; with --nodes, --nodes-file or --count')
      .option('--prometheus-token-file <file>', 'a bearer token for it')
      .option('--selector <matchers>', 'labels of this cluster\'s agents there, such as cluster="prod"')
      .option('--nodes <names>', 'the nodes, with commas; each must have an agent that answers')
      .option('--nodes-file <file>', 'the nodes, one name a line; - is standard input')
      .option('--count <number>', 'how many agents must answer')
      .option('--without <names>', 'nodes or addresses to go on without if they say nothing, with commas')
    if (action === 'apply') {
      command
        .option('--wait <duration>', 'how long to wait for agents; 0: do what can be done now (default: no limit)')
        .option('--poll <duration>', 'how often to ask Vault and the agents meanwhile', '10s')
    }
    addVaultOptions(command)
    if (isPlanned) addPlanOptions(command, action)
    else command.addOption(outputOption())
    command.action((raw: Given) => done(readOptions(action, raw)))
  }
}

/** @throws UsageError */
function readOptions(action: Action, given: Given): RotateCaOptions {
  const { issuer, agents, prometheus, nodes, nodesFile, count } = given
  if (action !== 'status' && issuer === undefined) throw new UsageError('rotate-ca needs --issuer')
  if ((agents === undefined) === (prometheus === undefined)) {
    throw new UsageError('rotate-ca needs --agents or --prometheus, not both: it must know what the agents publish')
  }
  if (prometheus !== undefined && nodes === undefined && nodesFile === undefined && count === undefined) {
    throw new UsageError(
      '--prometheus needs --nodes, --nodes-file or --count: an agent that is down is not in its answer',
    )
  }
  const names = nodesOf(nodes)
  return {
    action,
    mount: pattern('mount', given.mount ?? 'pki', /^\w[\w./-]*\w$/, 'a path such as pki'),
    issuer: issuer === undefined ? undefined : issuerName('issuer', issuer),
    root: readRoot(given),
    retire: listOf('retire', given.retire).map((each) => issuerName('retire', each)),
    etcdTrustsNew: given.etcdTrustsNew ?? false,
    agents: listOf('agents', agents).map(agentAddress),
    prometheus: prometheus === undefined ? undefined : address('prometheus', prometheus),
    prometheusTokenFile: given.prometheusTokenFile,
    selector: given.selector ?? '',
    nodes: names,
    nodesFile,
    count: Number(pattern('count', count ?? '0', /^\d{1,6}$/, 'a number')),
    without: listOf('without', given.without),
    waitMs: given.wait === undefined ? undefined : duration('wait', given.wait, 0),
    pollMs: duration('poll', given.poll ?? '10s', 100),
    yes: given.yes ?? false,
    detailedExitcode: given.detailedExitcode ?? false,
    output: given.output ?? 'text',
    connection: readConnection(given),
  }
}

function readRoot({ commonName, ttl = '87600h', keyType = keyTypes[0] }: Given): RotateCaOptions['root'] {
  if (commonName === undefined) return undefined
  if (commonName.trim() === '') throw new UsageError('--common-name is empty')
  return { commonName, ttlSeconds: duration('ttl', ttl, 3_600_000) / 1000, keyType: keyType as KeyType }
}

/** As Vault has names of issuers; `default` means the one that signs. */
function issuerName(option: string, text: string): string {
  if (text === 'default') throw new UsageError(`--${option} is a name or an id; default changes its meaning on the way`)
  return pattern(option, text, /^\w[\w.-]*$/, 'the name or the id of an issuer')
}

function pattern(option: string, text: string, form: RegExp, meaning: string): string {
  if (!form.test(text)) throw new UsageError(`--${option} is ${meaning}, not ${JSON.stringify(text)}`)
  return text
}

/** The port is that of AGENT_LISTEN, unless another is given. */
function agentAddress(text: string): string {
  if (text.includes('://')) return address('agents', text)
  return address('agents', /:\d+$/.test(text) ? `http://${text}` : `http://${text}:9879`)
}

function address(option: string, text: string): string {
  if (!URL.canParse(text) || !/^https?:\/\/[^/]/.test(text)) {
    throw new UsageError(`--${option} is host:port or a URL, not ${JSON.stringify(text)}`)
  }
  return text
}

function duration(option: string, text: string, leastMs: number): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < leastMs) {
    throw new UsageError(`--${option} is a duration such as 30s or 48h, not ${JSON.stringify(text)}`)
  }
  return ms
}
