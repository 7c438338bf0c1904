/**
 * Owns the desired state as a shell script of etcdctl commands, for people who review and run it by hand. Running it twice
 * changes nothing; it only adds. What it makes is recorded as `provision apply` does, so that --prune knows it later.
 */
import { quoted } from '../../core/text.ts'
import type { DesiredState } from './desired.ts'
import { type Grant, prefixRange } from './grants.ts'
import { rootRole } from './plan.ts'
import { recordKey, recordLine, recordPrefix } from './record.ts'

export interface ScriptOptions {
  readonly version: string
  /** With `auth enable` at the end: the common name of the operator's certificate. */
  readonly operator: string | undefined
}

export function etcdctlScript({ roles, users, warnings }: DesiredState, { version, operator }: ScriptOptions): string {
  const lines = [
    '#!/bin/sh',
    `# Users and roles for Calico on etcd, by calico-vault-agent ${version} (provision export).`,
    '# Needs etcdctl 3.4 or newer, and ETCDCTL_ENDPOINTS, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY of a user with the role root.',
    '# It only adds: what is there already stays as it is.',
    ...warnings.map((warning) => `# Note: ${warning}`),
    'set -eu',
    'export ETCDCTL_API=3',
    '',
    `# Names that this script makes are recorded below ${recordPrefix}, as provision apply does.`,
    'remember() { etcdctl put "$1" "$2" >/dev/null; }',
    'add_role() { etcdctl role get "$1" >/dev/null 2>&1 || { remember "$2" "$3"; etcdctl role add "$1"; }; }',
    '# Never without --no-password: "user add a:b" alone makes the user a with the password b.',
    'add_user() { etcdctl user get "$1" >/dev/null 2>&1 || { remember "$2" "$3"; etcdctl user add "$1" --no-password; }; }',
  ]
  for (const [role, grants] of roles) {
    lines.push('', `add_role ${recorded('role', role)}`)
    for (const grant of grants) lines.push(grantCommand(role, grant))
  }
  for (const [user, wanted] of users) {
    lines.push('', `add_user ${recorded('user', user)}`)
    for (const role of wanted.roles) lines.push(`etcdctl user grant-role ${quoted(user)} ${quoted(role)}`)
  }
  if (operator !== undefined) lines.push(...enableCommands(operator))
  return `${lines.join('\n')}\n`
}

function recorded(kind: 'user' | 'role', name: string): string {
  const line = recordLine(kind, name)
  return `${quoted(name)} ${quoted(recordKey(line))} ${quoted(line)}`
}

function grantCommand(role: string, { access, key, end }: Grant): string {
  const command = `etcdctl role grant-permission ${quoted(role)} ${access} ${quoted(key)}`
  if (end === '') return command
  return prefixRange(key).end === end ? `${command} --prefix=true` : `${command} ${quoted(end)}`
}

function enableCommands(operator: string): string[] {
  const administrators = [...new Set([rootRole, operator])].flatMap((user) => [
    `etcdctl user get ${quoted(user)} >/dev/null 2>&1 || etcdctl user add ${quoted(user)} --no-password`,
    `etcdctl user grant-role ${quoted(user)} ${rootRole}`,
  ])
  return [
    '',
    '# Every member must run with --client-cert-auth, and this must be the certificate of the user below:',
    '# otherwise nobody can get in after the last command.',
    ...administrators,
    'etcdctl auth enable',
  ]
}
