import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { renderTemplate, templateProblem, usesNodeUid } from '../../../agent/config/template.ts'

const values = { component: 'calico-node', node: 'node1', cluster: 'prod' }

test.each([
  ['{component}:{node}', 'calico-node:node1'],
  ['{cluster}/{component}', 'prod/calico-node'],
  ['{node}{node}', 'node1node1'],
  ['calico', 'calico'],
  ['{node}:{node_uid}', 'node1:{node_uid}'],
])('%s is rendered as %s', (template, text) => {
  expect(templateProblem(template)).toBeUndefined()
  expect(renderTemplate(template, values)).toBe(text)
})

test('the uid of the node is put in where it is known', () => {
  expect(renderTemplate('{component}:{node_uid}', { ...values, nodeUid: '1-2-3' })).toBe('calico-node:1-2-3')
  expect(usesNodeUid('{node_uid}')).toBe(true)
  expect(usesNodeUid('{node}')).toBe(false)
})

test.each([
  ['{Node}', 'knows no {Node}'],
  ['{}', 'knows no {}'],
  ['{node', 'has a brace without its partner'],
  ['node}', 'has a brace without its partner'],
  ['{{node}}', 'has a brace without its partner'],
  ['{toString}', 'knows no {toString}'],
])('%s is refused', (template, problem) => {
  expect(templateProblem(template)).toContain(problem)
})

test('a template without a problem leaves no brace behind, and one with a brace left over has a problem', () => {
  const part = fc.constantFrom('{component}', '{node}', '{cluster}', '{node_uid}', '{', '}', '{x}', ':', 'a')
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const template = parts.join('')
      const rendered = renderTemplate(template, { ...values, nodeUid: 'uid' })
      expect(/[{}]/.test(rendered)).toBe(templateProblem(template) !== undefined)
    }),
  )
})
