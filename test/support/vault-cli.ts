/**
 * A stand-in for the CLI `vault` where it is not installed: read, list, write, delete, kv put, policy write, secrets enable
 * and tune, auth enable and list, each turned into the HTTP request that the CLI makes of it. For scripts that are exported, against a real Vault.
 * @see https://github.com/hashicorp/vault/tree/v1.13.1/command
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { vaultApi } from './vault-api.ts'

const env = (name: string): string => process.env[name] ?? ''
const { values, positionals } = parseArgs({
  // As Go's flag package: -field=x is --field=x.
  args: process.argv.slice(2).map((arg) => (/^-[a-z]/.test(arg) ? `-${arg}` : arg)),
  allowPositionals: true,
  options: {
    field: { type: 'string' },
    format: { type: 'string' },
    detailed: { type: 'boolean' },
    f: { type: 'boolean' },
    path: { type: 'string' },
    description: { type: 'string' },
    'max-lease-ttl': { type: 'string' },
  },
})
const api = vaultApi({
  address: env('VAULT_ADDR'),
  caPem: readFileSync(env('VAULT_CACERT'), 'utf8'),
  rootToken: env('VAULT_TOKEN'),
})
process.exitCode = await run(positionals)
api.close()

async function run([command = '', ...args]: readonly string[]): Promise<number> {
  const [first = '', second = ''] = args
  switch (command) {
    case 'read':
      return await request('GET', first)
    case 'list':
      return await request('GET', `${first}?list=true`)
    case 'write':
      return await request('PUT', first, second === '-' ? (JSON.parse(stdin()) as object) : pairs(args.slice(1)))
    case 'delete':
      return await request('DELETE', first)
    case 'kv':
      if (first !== 'put') return usage()
      return await putSecret(second, pairs(args.slice(2)))
    case 'policy':
      if (first !== 'write' || args[2] !== '-') return usage()
      return await request('PUT', `sys/policies/acl/${second}`, { policy: stdin() })
    case 'secrets':
    case 'auth': {
      if (command === 'auth' && first === 'list' && values.format === 'json') return await request('GET', 'sys/auth')
      const tuned = { max_lease_ttl: values['max-lease-ttl'] }
      if (command === 'secrets' && first === 'tune') return await request('POST', `sys/mounts/${second}/tune`, tuned)
      if (first !== 'enable') return usage()
      const config = tuned.max_lease_ttl === undefined ? {} : { config: tuned }
      const path = `sys/${command === 'auth' ? 'auth' : 'mounts'}/${values.path ?? second}`
      return await request('POST', path, { type: second, description: values.description ?? '', ...config })
    }
    default:
      return usage()
  }
}

async function request(method: string, path: string, body?: object): Promise<number> {
  const answer = await api.call(method, path, body, { token: env('VAULT_TOKEN') })
  if (answer.status >= 300) {
    process.stderr.write(`Error: ${method} ${path}: ${answer.status} ${answer.text}\n`)
    return 2
  }
  if (values.field === undefined) {
    if (method === 'GET') process.stdout.write(`${JSON.stringify(answer.body.data, undefined, 2)}\n`)
    return 0
  }
  const value = answer.body.data?.[values.field]
  if (value === undefined) {
    process.stderr.write(`Field "${values.field}" not present in secret\n`)
    return 1
  }
  process.stdout.write(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`)
  return 0
}

/** As the CLI, asks first which version of the engine is mounted there. */
async function putSecret(path: string, fields: object): Promise<number> {
  const { body } = await api.call('GET', `sys/internal/ui/mounts/${path}`, undefined, { token: env('VAULT_TOKEN') })
  const { path: mount = '', options } = (body.data ?? {}) as { path?: string; options?: { version?: string } }
  if (options?.version !== '2') return await request('PUT', path, fields)
  return await request('PUT', `${mount}data/${path.slice(mount.length)}`, { data: fields })
}

/** `key=value`, `key=@file`; a key that comes again makes a list. */
function pairs(args: readonly string[]): object {
  const fields: Record<string, unknown> = {}
  for (const arg of args) {
    const [key = '', ...rest] = arg.split('=')
    const text = rest.join('=')
    const value = text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text
    const before = fields[key]
    fields[key] = before === undefined ? value : [before, value].flat()
  }
  return fields
}

function stdin(): string {
  return readFileSync(0, 'utf8')
}

function usage(): number {
  process.stderr.write(`no such command here: ${positionals.join(' ')}\n`)
  return 127
}
