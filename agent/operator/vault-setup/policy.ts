/**
 * Owns the policy of a component in HCL: one path, and of its parameters those that the agent sends. An empty list of values
 * means any value; a parameter that is not named is refused, such as `not_after`, which would beat the role's max_ttl.
 * Its first line is the owner's mark: in a PKI mount that is not ours, the record that the role of that name is.
 */

/** What the agent sends to sign (vault/client.ts). */
const parameters = ['csr', 'common_name', 'ttl', 'exclude_cn_from_sans'] as const
/** What it must send, so that nothing of a request is ever taken from the CSR. */
const required = ['csr', 'common_name'] as const

export function policyText(owner: string, signPath: string): string {
  return `${ownerLine(owner)}
path ${JSON.stringify(signPath)} {
  capabilities        = ["update"]
  required_parameters = ${JSON.stringify(required).replaceAll(',', ', ')}
  allowed_parameters = {
${parameters.map((name) => `    ${JSON.stringify(name).padEnd(22)} = []`).join('\n')}
  }
}
`
}

export function ownerLine(owner: string): string {
  return `# ${owner}`
}

/** Whether this text was written by us for this path. */
export function isOwnPolicy(text: unknown, owner: string, signPath?: string): boolean {
  if (typeof text !== 'string' || text.split('\n', 1)[0] !== ownerLine(owner)) return false
  return signPath === undefined || text.includes(`path ${JSON.stringify(signPath)} {`)
}
