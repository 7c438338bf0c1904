/** Owns what the tests of `setup-vault` share: a Vault with nothing on it, a cluster's key, the files of a setup, and the command. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { type Ended, type RunOptions, runCommand } from '../../support/command.ts'
import { describeVault, type VaultSubject, vaultSubjects } from '../../support/each-vault.ts'
import { createServiceAccountIssuer, type ServiceAccountIssuer } from '../../support/service-account.ts'
import { type VaultApi, vaultApi } from '../../support/vault-api.ts'
import type { VaultServer } from '../../support/vault-server.ts'

export interface Rig {
  readonly vault: VaultServer
  readonly api: VaultApi
  readonly accounts: ServiceAccountIssuer
  /** For the files of operators; gone with the Vault. */
  readonly directory: string
}

export type Cases = (rig: () => Rig) => void

export function describeSetup(title: string, cases: Cases, subjects: readonly VaultSubject[] = vaultSubjects): void {
  for (const subject of subjects) {
    describeVault(subject, title, ({ start }) => {
      let rig: Rig | undefined
      beforeAll(async () => {
        const vault = await start()
        const directory = mkdtempSync(join(tmpdir(), 'setup-vault-'))
        rig = { vault, api: vaultApi(vault), accounts: createServiceAccountIssuer(), directory }
      })
      afterAll(async () => {
        rig?.api.close()
        await rig?.vault.stop()
        if (rig !== undefined) rmSync(rig.directory, { recursive: true })
      })
      cases(() => {
        if (rig === undefined) throw new Error('the Vault did not start')
        return rig
      })
    })
  }
}

/** A setup with the method jwt whose mounts have the name of the cluster in them: many clusters stand beside each other. */
export function jwtYaml(cluster: string, { accounts }: Pick<Rig, 'accounts'>, more = ''): string {
  return `cluster: ${cluster}
kubernetes:
  issuer: ${accounts.issuer}
  publicKeyFiles: [sa.pub]
auth: { mount: jwt-${cluster} }
pki: { mount: pki-${cluster} }
${more}`
}

export interface Operator {
  readonly directory: string
  readonly file: string
  readonly env: Readonly<Record<string, string>>
  /** `calico-vault-agent setup-vault ACTION --file FILE …`, as an administrator. */
  run(action: string, ...args: string[]): Promise<Ended>
  runWith(options: RunOptions, action: string, ...args: string[]): Promise<Ended>
}

interface OperatorOptions extends Pick<Rig, 'vault' | 'directory'> {
  readonly accounts: Pick<ServiceAccountIssuer, 'publicKeyPem'>
}

/** The file of a setup, and the public key of the cluster beside it. */
export function createOperator({ vault, accounts, directory: parent }: OperatorOptions, yaml: string): Operator {
  const directory = mkdtempSync(join(parent, 'operator-'))
  const file = join(directory, 'setup-vault.yaml')
  writeFileSync(file, yaml)
  writeFileSync(join(directory, 'sa.pub'), accounts.publicKeyPem)
  const env = { VAULT_ADDR: vault.address, VAULT_CACERT: vault.caFile, VAULT_TOKEN: vault.rootToken }
  const runWith: Operator['runWith'] = async (options, action, ...args) =>
    await runCommand(['setup-vault', action, '--file', file, ...args], { ...options, env: { ...env, ...options.env } })
  return { directory, file, env, runWith, run: async (action, ...args) => await runWith({}, action, ...args) }
}

export interface PlanJson {
  readonly inStep: boolean
  readonly changes: readonly { readonly do: string; readonly path: string; readonly details: readonly string[] }[]
  readonly refusals: readonly string[]
  readonly notes: readonly string[]
}

export async function planOf(operator: Operator, ...args: string[]): Promise<PlanJson> {
  return JSON.parse((await operator.run('plan', '--output', 'json', ...args)).stdout) as PlanJson
}
