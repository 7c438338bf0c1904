import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseProfiles } from '../../../../agent/operator/etcd/profile-file.ts'

const good = `
profiles:
  my-tool:            # a comment
    about: reads pools
    ranges:
      - { access: read, keys: /calico/resources/v3/projectcalico.org/ippools/* }
      - access: readwrite
        keys: /my/key
        since: "v3.30"
  my-daemon:
    scope: node
    ranges:
      - { access: readwrite, keys: "/my/{node}/*" }
`

describe('a good file', () => {
  it('is YAML', () => {
    const { profiles, problems } = parseProfiles(good)
    expect(problems).toEqual([])
    expect(profiles).toEqual({
      'my-tool': {
        scope: 'cluster',
        about: 'reads pools',
        rows: [
          { access: 'read', keys: '/calico/resources/v3/projectcalico.org/ippools/*', because: 'your profile file' },
          { access: 'readwrite', keys: '/my/key', since: 'v3.30', because: 'your profile file' },
        ],
      },
      'my-daemon': {
        scope: 'node',
        about: '',
        rows: [{ access: 'readwrite', keys: '/my/{node}/*', naming: 'node', because: 'your profile file' }],
      },
    })
  })

  it('or JSON, with tabs too', () => {
    const json = JSON.stringify({ profiles: { a: { ranges: [{ access: 'read', keys: '/a/*' }] } } }, null, '\t')
    expect(parseProfiles(json)).toMatchObject({ problems: [], profiles: { a: { scope: 'cluster' } } })
  })
})

describe('a bad file', () => {
  it.each([
    ['', '1:1 the file must be a map of profiles'],
    ['[1]', '1:1 the file must be a map of profiles'],
    ['a: 1', '1:1 the file has no "a"; it has profiles'],
    ['{}', '1:1 has no profiles'],
    ['profiles:\n  a: {ranges: [}', '2:16 Flow'],
    ['profiles:\n\ta: 1', '2:1 '],
    ['profiles:\n  a: 1\n  a: 2', '3:3 Map keys must be unique'],
    ['profiles:\n  "a:b": {ranges: []}', '2:3 the name of a profile is "a:b"'],
    ['profiles:\n  root: {ranges: []}', '2:3 root is the administrator of etcd'],
    ['profiles:\n  a: {}', '2:6 profile a has no ranges'],
    ['profiles:\n  a: {ranges: []}', '2:15 profile a has no ranges'],
    ['profiles:\n  a: {ranges: {}}', '2:15 ranges must be a list'],
    ['profiles:\n  a: {scope: all, ranges: []}', '2:14 scope must be one of cluster, node'],
    ['profiles:\n  a: {ranges: [{keys: /a}]}', '2:16 a range needs access'],
    ['profiles:\n  a: {ranges: [{access: read}]}', '2:16 a range needs keys'],
    ['profiles:\n  a: {ranges: [{access: read, keys: /a, key: /b}]}', '2:41 a range has no "key"; did you mean keys?'],
    ['profiles:\n  a: {ranges: [{access: rw, keys: /a}]}', '2:25 access must be one of read, write, readwrite'],
    ['profiles:\n  a: {ranges: [{access: read, keys: 1}]}', '2:37 keys must be a text'],
    ['profiles:\n  a: {ranges: [{access: read, keys: "/{node}"}]}', '2:37 keys "/{node}" uses {node}'],
    ['profiles:\n  a: {ranges: [{access: read, keys: "/{pod}"}]}', 'knows no other placeholder than {node}'],
    ['profiles:\n  a: {ranges: [{access: read, keys: "/a*"}]}', '2:37 keys "/a*" must end with /*'],
    ['profiles:\n  a: {ranges: [{access: read, keys: "/*/a"}]}', 'may have a star only at its end'],
    ['profiles:\n  a: {ranges: [{access: read, keys: /a, since: 3.30}]}', '2:48 since must be a quoted version'],
  ])('%j: %s', (text, problem) => {
    expect(parseProfiles(text).problems.join('\n')).toContain(problem)
  })

  it('names every mistake, in the order of the file', () => {
    const { problems } = parseProfiles('profiles:\n  a: {ranges: [{access: x, keys: y z}]}\n  b: {scope: 1}')
    expect(problems.map((each) => each.split(' ')[0])).toEqual(['2:25', '2:34', '3:6', '3:14'])
  })

  it('any text ends with profiles or problems, never with an exception', () => {
    const piece = fc.constantFrom(
      'profiles:',
      '\n  a:',
      ' {',
      '}',
      '[',
      ']',
      'ranges:',
      'access: read',
      'keys: /a',
      ', ',
      '*a',
      '&a ',
      '"',
      '!!x ',
      '? ',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((pieces) => pieces.join('')),
        ),
        (text) => {
          const { profiles, problems } = parseProfiles(text)
          expect(profiles).toBeTypeOf('object')
          for (const problem of problems) expect(problem).toMatch(/^\d+:\d+ /)
        },
      ),
      { numRuns: 500 },
    )
  })
})
