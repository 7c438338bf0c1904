/** Owns reading how the agent logs in: the method and what belongs to it, and nothing that contradicts it. */
import { Secret } from '../core/secret.ts'
import type { EnvironmentReader } from './reader.ts'

/** Every method but `token` posts to `auth/<mount>/login`. */
export type Auth =
  | { readonly method: 'kubernetes' | 'jwt'; readonly mount: string; readonly role: string; readonly tokenFile: string }
  | {
      readonly method: 'approle'
      readonly mount: string
      readonly roleIdFile: string
      readonly secretIdFile: string | undefined
    }
  | { readonly method: 'cert'; readonly mount: string; readonly role: string }
  | { readonly method: 'token'; readonly token: Secret | undefined; readonly tokenFile: string | undefined }

export function readAuth(reader: EnvironmentReader, firstComponent: string): Auth {
  const method = reader.choice('AGENT_AUTH_METHOD')
  const mount = reader.mount('AGENT_AUTH_MOUNT', reader.optional('AGENT_AUTH_MOUNT') ?? method)
  const role = reader.optional('AGENT_AUTH_ROLE') ?? firstComponent
  switch (method) {
    case 'kubernetes':
    case 'jwt':
      return { method, mount, role, tokenFile: reader.absolutePath('AGENT_AUTH_TOKEN_FILE') ?? '' }
    case 'approle': {
      const roleIdFile = reader.absolutePath('AGENT_AUTH_ROLE_ID_FILE') ?? ''
      if (!reader.isSet('AGENT_AUTH_ROLE_ID_FILE'))
        reader.problem('AGENT_AUTH_ROLE_ID_FILE', 'is required with approle')
      return { method, mount, roleIdFile, secretIdFile: reader.absolutePath('AGENT_AUTH_SECRET_ID_FILE') }
    }
    case 'cert':
      if (!reader.isSet('VAULT_CLIENT_CERT'))
        reader.problem('VAULT_CLIENT_CERT', 'is required with AGENT_AUTH_METHOD=cert')
      return { method, mount, role }
    case 'token': {
      const token = readVaultToken(reader)
      const tokenFile = reader.absolutePath('AGENT_VAULT_TOKEN_FILE')
      if (reader.isSet('VAULT_TOKEN') === reader.isSet('AGENT_VAULT_TOKEN_FILE')) {
        reader.problem('VAULT_TOKEN', 'or AGENT_VAULT_TOKEN_FILE is required with AGENT_AUTH_METHOD=token: one of them')
      }
      return { method, token, tokenFile }
    }
  }
}

export function readVaultToken(reader: EnvironmentReader): Secret | undefined {
  const token = reader.optional('VAULT_TOKEN')
  // It becomes a header.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    reader.problem('VAULT_TOKEN', 'holds a space, a line break or what is not ASCII; it must be one token')
  }
  return token === undefined ? undefined : new Secret(token)
}
