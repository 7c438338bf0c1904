/** Owns what may be a path of a mount, a role or a secret in Vault's API. */

/** What is wrong with a path, or undefined. Vault's paths have no empty, `.` or `..` part and no query. */
export function refusedPathProblem(path: string, example = 'pki or team/pki'): string | undefined {
  const parts = path.split('/')
  const bad = parts.some((part) => part === '' || part === '.' || part === '..' || !/^[A-Za-z0-9._~-]+$/.test(part))
  return bad
    ? `is ${JSON.stringify(path)}; it must be a path such as ${example}, without slashes at its ends`
    : undefined
}
