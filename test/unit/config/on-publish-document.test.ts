/** What docs/on-publish.md has people write: the agent takes the settings, and polkit's rule lets through what they call and nothing else. */
import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../agent/config/config.ts'
import { fencedBlock } from '../../support/documents.ts'
import { smallest } from './environment.ts'

const text = readFileSync('docs/on-publish.md', 'utf8')

describe('docs/on-publish.md', () => {
  const blocks = [...text.matchAll(/^```\n(AGENT_[^]*?)```/gm)].map(([, block = '']) => block.trim().split('\n'))

  it.each(blocks)('%s is taken', (...lines) => {
    const own = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)))
    expect(parseConfig({ ...smallest, ...own }, 'host').onPublish).toMatchObject({
      when: own['AGENT_ON_PUBLISH_WHEN'] ?? 'every',
    })
  })

  it('the rule of polkit', () => {
    const rules: ((action: object, subject: object) => string | undefined)[] = []
    const polkit = { addRule: (rule: (typeof rules)[number]) => rules.push(rule), Result: { YES: 'yes' } }
    runInNewContext(fencedBlock('docs/on-publish.md', 'js', 'polkit.addRule'), { polkit })
    const [rule] = rules
    const asked = (unit: string, verb: string, user = 'calico-vault-agent', id = 'manage-units') =>
      rule?.({ id: `org.freedesktop.systemd1.${id}`, lookup: (name: string) => ({ unit, verb })[name] }, { user })
    expect(asked('calico-felix.service', 'try-restart')).toBe('yes')
    expect(asked('calico-felix.service', 'stop')).toBeUndefined()
    expect(asked('sshd.service', 'try-restart')).toBeUndefined()
    expect(asked('calico-felix.service', 'try-restart', 'nobody')).toBeUndefined()
    expect(asked('calico-felix.service', 'try-restart', 'calico-vault-agent', 'manage-unit-files')).toBeUndefined()
  })
})
