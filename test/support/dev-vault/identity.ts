/**
 * Owns entities: one for each (mount, alias name) that ever logged in. As in Vault each login overwrites the alias's metadata, and
 * templates read the entity at request time: an alias that nodes share gives each of them the name of the last one.
 */
import { randomUUID } from 'node:crypto'

export interface Alias {
  readonly id: string
  readonly name: string
  readonly mountAccessor: string
  metadata: Readonly<Record<string, string>>
}

export interface Entity {
  readonly id: string
  readonly name: string
  readonly aliases: Alias[]
}

export interface Identities {
  /** The entity of an alias, made when it is new. */
  resolve(mountAccessor: string, name: string, metadata: Readonly<Record<string, string>>): Entity
  get(id: string): Entity | undefined
  /** Fills `{{identity.entity.…}}` in; undefined when the entity has no such thing. Text without a template is returned as it is. */
  fill(text: string, entityId: string): string | undefined
  readonly count: number
}

export function createIdentities(): Identities {
  const entities = new Map<string, Entity>()
  const byAlias = new Map<string, Entity>()
  return {
    resolve(mountAccessor, name, metadata) {
      const key = `${mountAccessor}\n${name}`
      const known = byAlias.get(key)
      if (known === undefined) {
        const id = randomUUID()
        const alias = { id: randomUUID(), name, mountAccessor, metadata }
        const entity: Entity = { id, name: `entity_${id.slice(0, 8)}`, aliases: [alias] }
        entities.set(id, entity)
        byAlias.set(key, entity)
        return entity
      }
      for (const alias of known.aliases) {
        if (alias.mountAccessor === mountAccessor) alias.metadata = metadata
      }
      return known
    },
    get: (id) => entities.get(id),
    fill(text, entityId) {
      const entity = entities.get(entityId)
      let isComplete = true
      const filled = text.replaceAll(/\{\{\s*([^}]*?)\s*\}\}/g, (_, expression: string) => {
        const value = entity === undefined ? undefined : evaluate(expression, entity)
        if (value === undefined) isComplete = false
        return value ?? ''
      })
      return isComplete ? filled : undefined
    },
    get count() {
      return entities.size
    },
  }
}

export function hasTemplate(text: string): boolean {
  return /\{\{\s*identity\./.test(text)
}

function evaluate(expression: string, entity: Entity): string | undefined {
  if (expression === 'identity.entity.id') return entity.id
  if (expression === 'identity.entity.name') return entity.name
  const match = /^identity\.entity\.aliases\.([^.]+)\.(.+)$/.exec(expression)
  const alias = entity.aliases.find((each) => each.mountAccessor === match?.[1])
  const field = match?.[2]
  if (alias === undefined || field === undefined) return undefined
  if (field === 'name') return alias.name
  if (field === 'id') return alias.id
  return field.startsWith('metadata.') ? alias.metadata[field.slice('metadata.'.length)] : undefined
}
