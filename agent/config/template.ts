/** Owns the templates of AGENT_COMMON_NAME, AGENT_PKI_ROLE, AGENT_KV_PATH and AGENT_SOURCE_DIR: `{component}:{node}` and the like. */

export interface TemplateValues {
  readonly component: string
  readonly node: string
  readonly cluster: string
  /** From the claims of the service-account token; only read if a template uses it. */
  readonly nodeUid?: string | undefined
}

const placeholder = /\{([^{}]*)\}/g
const known = ['component', 'node', 'node_uid', 'cluster'] as const

/** What is wrong with the template, or undefined. */
export function templateProblem(template: string): string | undefined {
  for (const [, name] of template.matchAll(placeholder)) {
    if (!known.some((each) => each === name)) {
      return `knows no {${name}}; there are ${known.map((each) => `{${each}}`).join(', ')}`
    }
  }
  return /[{}]/.test(template.replace(placeholder, '')) ? 'has a brace without its partner' : undefined
}

export function usesNodeUid(template: string): boolean {
  return template.includes('{node_uid}')
}

export function renderTemplate(template: string, values: TemplateValues): string {
  return template.replace(placeholder, (whole, name: string) => {
    if (name === 'node_uid') return values.nodeUid ?? whole
    if (name === 'component') return values.component
    if (name === 'node') return values.node
    return name === 'cluster' ? values.cluster : whole
  })
}
