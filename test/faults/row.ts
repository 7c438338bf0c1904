/** Owns what a row of the fault matrix is: what is done to a running agent, what it must say, and how soon it must be over. */
import type { ReasonCode } from '../../agent/core/reason-catalog.ts'
import type { AgentProcess } from '../support/agent-process.ts'
import type { FaultProxy } from '../support/fault-proxy.ts'
import type { RealEtcd } from '../support/real-etcd.ts'
import type { RealVault } from '../support/real-vault.ts'
import type { RealVaultCluster } from '../support/real-vault-cluster.ts'
import type { OnEnd } from '../support/temp-dir.ts'
import type { FaultLab } from './stage.ts'

/** Everything that a fault can be done to. The agent is the built program, as a process. */
export interface Stage {
  readonly lab: FaultLab
  readonly vault: RealVault
  /** Between the agent and Vault; of a cluster, before the member that the agent asks first. */
  readonly proxy: FaultProxy
  /** Each address in VAULT_ADDR is one of them, in this order. */
  readonly proxies: readonly FaultProxy[]
  /** For rows that have asked for one. */
  readonly cluster: RealVaultCluster | undefined
  readonly node: string
  /** Of the agent's target. */
  readonly directory: string
  readonly tokenFile: string
  /** Empty, for whatever a row needs. */
  readonly scratch: string
  /** As many as the row asks for, with authentication and the agent's user. */
  readonly etcd: readonly RealEtcd[]
  readonly agent: AgentProcess
  /** Another process with the same environment, or with some of it changed. */
  startAgain(changes?: Readonly<Record<string, string>>): AgentProcess
  readonly onEnd: OnEnd
}

/** What a row may use before the agent runs. */
export type Setting = Omit<Stage, 'agent' | 'startAgain'>

/** Three Vaults for the row alone. */
export interface ClusterOptions {
  /** Where the agent begins. */
  readonly first: 'leader' | 'standby'
  /** VAULT_ADDR names no other. */
  readonly isOnly?: boolean
  /** Standbys redirect instead of forwarding. */
  readonly redirects?: boolean
}

export interface FaultRow {
  readonly group: string
  readonly name: string
  /**
   * The reasons of which one must be told in the log, in /readyz and in the metrics. Empty: the fault must not be felt, and a
   * renewal in the middle of it succeeds.
   */
  readonly reasons: readonly ReasonCode[]
  /** From the end of the fault to the next certificate, without anybody's help. */
  readonly recoversWithinSeconds?: number
  /** For faults that others would feel. Default: one Vault for all of them. */
  readonly hasOwnVault?: boolean
  readonly cluster?: ClusterOptions
  readonly etcdMembers?: number
  /** Added to the environment of the agent. */
  readonly env?: (stage: Setting) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  /** Instead of a directory in memory. */
  readonly directory?: (onEnd: OnEnd) => string
  /** What starts the agent (agent-process.ts). */
  readonly wrapper?: (stage: Setting) => readonly string[]
  /** Why it cannot be done on this machine. */
  readonly leftOut?: string | undefined
  readonly inject: (stage: Stage) => unknown
  readonly recover: (stage: Stage) => unknown
}

export interface RunOptions {
  /** With the Vault that rows share. */
  readonly lab: FaultLab
  /** A name that no other row uses. */
  readonly node: string
  /** How long a fault lasts after its reason was told; 0 in the short form. */
  readonly holdMs: number
  readonly onEnd: OnEnd
}

/** A row as it is run: most are a FaultRow (harness.ts), some need a way of their own. */
export interface MatrixRow extends Pick<FaultRow, 'group' | 'name' | 'leftOut'> {
  run(options: RunOptions): Promise<Outcome>
}

/** What became of a row: its line of the table. */
export interface Outcome {
  readonly group: string
  readonly name: string
  /** Told reason, or what happened instead. */
  readonly outcome: string
  /** Until log, /readyz and metrics had told it. */
  readonly visibleAfterSeconds?: number
  readonly recoveredAfterSeconds?: number
  readonly recoversWithinSeconds?: number
  /** In the busiest minute. */
  readonly requestsPerMinute?: number
  readonly lost: number
  readonly bad: number
  /** Every promise that was not kept. */
  readonly problems: readonly string[]
}
