/** Owns the names of nodes for `provision`: which are valid, which collide, and which make long common names. */

/** As NODE_NAME of the agent (config.ts): anything else could reach into another key or another user's name. */
const nodePattern = /^[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?$/

/** X.520's ub-common-name. Vault and etcd take longer ones. */
const strictNameLength = 64

/** Of a text with names: a list of more nodes than Kubernetes can have is no list of nodes. */
export const mostNodesBytes = 16 * 1024 * 1024

export interface NodeNames {
  /** Sorted, each once. */
  readonly names: readonly string[]
  /** One sentence each. */
  readonly problems: readonly string[]
}

/** One name a line or after a comma; empty lines and what follows a `#` do not count. */
export function parseNodeNames(text: string): NodeNames {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  return checkNodeNames(lines.flatMap((line) => line.replace(/#.*/, '').split(/[\s,]+/)).filter((name) => name !== ''))
}

export function checkNodeNames(given: readonly string[]): NodeNames {
  const names = [...new Set(given)].toSorted()
  const problems = names
    .filter((name) => !nodePattern.test(name))
    .map((name) => `${shown(name)} is not the name of a node: use letters, digits, '-', '.' and '_'`)
  const byFolded = Map.groupBy(names, (name) => name.toLowerCase())
  for (const same of byFolded.values()) {
    if (same.length > 1) {
      problems.push(
        `${same.join(' and ')} differ only in case: Vault would issue each the other's certificate; rename one of them`,
      )
    }
  }
  return { names, problems }
}

/** A warning if the common name is longer than strict TLS libraries take. */
export function longNameWarning(commonName: string): string | undefined {
  if (commonName.length <= strictNameLength) return undefined
  return `the common name ${shown(commonName)} has ${commonName.length} bytes, more than the ${strictNameLength} of X.520: Vault and etcd take it, strict TLS libraries may not`
}

function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
}
