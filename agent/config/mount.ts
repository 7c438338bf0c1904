/** Owns what may be a path of a mount or a role in Vault's API. */

/** What is wrong with a mount path, or undefined. Vault's paths have no empty, `.` or `..` part and no query. */
export function refusedPathProblem(path: string): string | undefined {
  const parts = path.split('/')
  const bad = parts.some((part) => part === '' || part === '.' || part === '..' || !/^[A-Za-z0-9._~-]+$/.test(part))
  return bad
    ? `is ${JSON.stringify(path)}; it must be a path such as pki or team/pki, without slashes at its ends`
    : undefined
}
