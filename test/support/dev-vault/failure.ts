/**
 * Owns how the development Vault says no. Vault has two ways: an error *response*, whose text goes out as it is, and an *error*,
 * which an authenticated request reports as a list ("1 error occurred: …").
 * @see https://github.com/hashicorp/vault/blob/v1.13.1/vault/request_handling.go
 */

export class VaultFailure extends Error {
  override readonly name = 'VaultFailure'
  readonly status: number
  /** Vault's `error`, as against its `logical.ErrorResponse`. */
  readonly isListed: boolean
  /** The rest of the body, for the few answers that have both. */
  readonly data: object | undefined

  constructor(status: number, text: string, options: { isListed?: boolean; data?: object } = {}) {
    super(text)
    this.status = status
    this.isListed = options.isListed ?? false
    this.data = options.data
  }
}

/** 400 with this very text. */
export function refusal(text: string): VaultFailure {
  return new VaultFailure(400, text)
}

/** A Go error: 500 unless Vault knows it by name. */
export function internalError(text: string, status = 500): VaultFailure {
  return new VaultFailure(status, text, { isListed: true })
}

/** A missing, unknown or expired token. */
export function tokenDenied(): VaultFailure {
  return new VaultFailure(403, 'permission denied')
}

/** A policy, or a backend that keeps its reasons to itself. */
export function denied(): VaultFailure {
  return internalError('permission denied', 403)
}

export function unsupportedPath(): VaultFailure {
  return internalError('unsupported path', 404)
}

export function unsupportedOperation(): VaultFailure {
  return internalError('unsupported operation', 405)
}

/** Texts of a body's `errors`. */
export function errorTexts(failure: VaultFailure, isAuthenticated: boolean): string[] {
  if (failure.message === '') return []
  return [failure.isListed && isAuthenticated ? `1 error occurred:\n\t* ${failure.message}\n\n` : failure.message]
}
