/** Owns the table of all checks, in the order in which they are made: the machine itself, Vault, etcd. */
import { type Check, ok } from './check.ts'
import { createReaders, onPublish, type Reader } from './checks/consumers.ts'
import { directory, hostDirectories, mount, published } from './checks/directory.ts'
import { etcdKeys, etcdServer, etcdUser } from './checks/etcd.ts'
import { credential, etcdCaFile, vaultFiles } from './checks/inputs.ts'
import { login, permissions } from './checks/login.ts'
import { caRotation, delivered, issuers, signing } from './checks/pki.ts'
import { clock, vaultName, vaultState, vaultTls } from './checks/vault.ts'

/** Whoever comes so far has passed it: problems are told in examine.ts, as nothing else can then be looked at. */
const configuration: Check = {
  id: 'configuration',
  title: 'configuration',
  run: ({ config: { node, targets, auth, source } }) =>
    ok(
      `node ${node}, ${auth === undefined ? source.kind : `login by ${auth.method}`}, ${targets.map(({ component }) => component).join(', ')}`,
    ),
}

export function createChecks(consumer: Reader | undefined): readonly Check[] {
  return [
    configuration,
    vaultFiles,
    etcdCaFile,
    credential,
    directory,
    mount,
    createReaders(consumer),
    hostDirectories,
    published,
    onPublish,
    vaultName,
    vaultTls,
    vaultState,
    clock,
    login,
    permissions,
    issuers,
    signing,
    delivered,
    caRotation,
    etcdServer,
    etcdUser,
    etcdKeys,
  ]
}
