/**
 * Owns the setup as a shell script of `vault` commands, for people who review and run it by hand. Running it twice changes
 * nothing; a mount that somebody else has made stops it. Afterwards `setup-vault plan` is in step.
 */
import { quoted } from '../../core/text.ts'
import { caRequest } from './ca.ts'
import { accessor, resourcesOf } from './resources.ts'
import { type Fields, FileRef, labelOf, ownerOf, type Pki, type Resource, type Setup } from './setup.ts'

export function shellScript(setup: Setup, version: string): string {
  const { auth, pki, cluster } = setup
  return `${[
    '#!/bin/sh',
    `# Vault for the cluster ${cluster}, by calico-vault-agent ${version} (setup-vault export).`,
    "# Needs the CLI vault (or bao, by that name), VAULT_ADDR, and an administrator's VAULT_TOKEN. Reads the files named @FILE.",
    '# It overwrites policies and roles of these names: setup-vault plan tells beforehand what differs.',
    'set -eu',
    `owner=${quoted(ownerOf(setup))}`,
    '',
    '# enable auth|secrets TABLE MOUNT OPTIONS: once, and never in the place of what somebody else has made.',
    'enable() {',
    '  kind=$1 table=$2 mount=$3',
    '  shift 3',
    '  if found=$(vault read -field=description "sys/$table/$mount" 2>/dev/null); then',
    '    [ "$found" = "$owner" ] && return',
    '    echo "$mount/ was not made by setup-vault: $found" >&2',
    '    exit 1',
    '  fi',
    '  vault "$kind" enable -path="$mount" -description="$owner" "$@"',
    '}',
    '',
    `enable auth auth ${quoted(auth.mount)} ${auth.method}`,
    ...caCommands(pki),
    `accessor=$(vault read -field=accessor ${quoted(`sys/auth/${auth.mount}`)})`,
    ...resourcesOf(setup).flatMap((resource) => ['', ...writeCommand(resource)]),
  ].join('\n')}\n`
}

function caCommands({ mount, ca, keyType }: Pki): string[] {
  if (ca.from === 'existing') return []
  const enable = `enable secrets mounts ${quoted(mount)} -max-lease-ttl=${ca.ttlSeconds}s pki`
  const unless = (list: string): string => `vault list ${quoted(`${mount}/${list}`)} >/dev/null 2>&1 ||`
  const write = (path: string, fields: Fields): string => `${quoted(`${mount}/${path}`)} ${pairs(fields)}`
  const request = caRequest(ca, keyType)
  if (ca.from === 'root')
    return [enable, `${unless('issuers')} vault write ${write('root/generate/internal', request)}`]
  const make = `${unless('keys')} vault write -field=csr ${write('intermediate/generate/internal', request)}`
  const lines = [enable, '# The request to have signed.', make]
  if (ca.certificate === undefined) return lines
  const { certificate } = ca
  return [...lines, `${unless('issuers')} vault write ${write('intermediate/set-signed', { certificate })}`]
}

function writeCommand({ kind, path, fields }: Resource): string[] {
  if (kind === 'policy') {
    return [`vault policy write ${quoted(labelOf(path))} - <<'HCL'`, String(fields['policy']).trimEnd(), 'HCL']
  }
  if (kind === 'auth-config') return [`vault write ${quoted(path)} ${pairs(fields)}`]
  const json = JSON.stringify(fields, null, 2)
  if (!json.includes(accessor)) return [`vault write ${quoted(path)} - <<'JSON'`, json, 'JSON']
  // Without quotes, for the accessor: what means something to the shell otherwise does not.
  const text = json.replaceAll(/[\\$`]/g, String.raw`\$&`).replaceAll(accessor, '$accessor')
  return [`vault write ${quoted(path)} - <<JSON`, text, 'JSON']
}

/** `key=value` as the CLI reads it: `@` before a file, a key again for each item of a list. */
function pairs(fields: Fields): string {
  return Object.entries(fields)
    .flatMap(([key, value]) =>
      (Array.isArray(value) && value.length > 0 ? value : [value]).map((each) => pair(key, each)),
    )
    .join(' ')
}

function pair(key: string, value: unknown): string {
  if (value instanceof FileRef) return quoted(`${key}=@${value.name}`)
  return quoted(`${key}=${Array.isArray(value) ? '' : String(value)}`)
}
