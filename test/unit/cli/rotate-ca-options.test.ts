import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../agent/cli/command-line.ts'
import { UsageError } from '../../../agent/cli/exit.ts'

function parse(argv: readonly string[]): unknown {
  const task = parseCommandLine(['rotate-ca', ...argv])
  return task.command === 'rotate-ca' ? task.options : task
}

describe('good arguments', () => {
  it('have defaults', () => {
    expect(parse(['plan', '--issuer', 'second', '--agents', 'node1,10.0.0.2:80,https://x/'])).toEqual({
      action: 'plan',
      mount: 'pki',
      issuer: 'second',
      root: undefined,
      retire: [],
      etcdTrustsNew: false,
      agents: ['http://node1:9879', 'http://10.0.0.2:80', 'https://x/'],
      prometheus: undefined,
      prometheusTokenFile: undefined,
      selector: '',
      nodes: [],
      nodesFile: undefined,
      count: 0,
      without: [],
      waitMs: undefined,
      pollMs: 10_000,
      yes: false,
      detailedExitcode: false,
      output: 'text',
      connection: {},
    })
  })

  it('make a root CA of ten years', () => {
    expect(parse(['plan', '--issuer', 'second', '--agents', 'a', '--common-name', 'CA 2'])).toMatchObject({
      root: { commonName: 'CA 2', ttlSeconds: 87_600 * 3600, keyType: 'ec-p256' },
    })
  })

  it('are read in any order', () => {
    const argv =
      'apply --yes --wait 0 --retire first,other --prometheus http://p:9090/x --count 7 --etcd-trusts-new --without n7 --issuer second'
    expect(parse(argv.split(' '))).toMatchObject({
      waitMs: 0,
      retire: ['first', 'other'],
      prometheus: 'http://p:9090/x',
      count: 7,
      etcdTrustsNew: true,
      without: ['n7'],
      yes: true,
    })
    expect(parse(['status', '--agents', 'a'])).toMatchObject({ action: 'status', issuer: undefined })
  })
})

describe('bad arguments', () => {
  it.each([
    ['', 'rotate-ca needs one of plan, apply, status'],
    ['plan --agents a', 'rotate-ca needs --issuer'],
    ['plan --issuer x', 'rotate-ca needs --agents or --prometheus, not both'],
    ['plan --issuer x --agents a --prometheus http://p', 'rotate-ca needs --agents or --prometheus, not both'],
    ['plan --issuer x --prometheus http://p', '--prometheus needs --nodes, --nodes-file or --count'],
    ['plan --issuer x --prometheus p:9090 --count 1', '--prometheus is host:port or a URL, not "p:9090"'],
    ['plan --issuer default --agents a', '--issuer is a name or an id; default changes its meaning on the way'],
    ['plan --issuer a/b --agents a', '--issuer is the name or the id of an issuer, not "a/b"'],
    ['plan --issuer x --agents a --retire y,default', '--retire is a name or an id'],
    ['plan --issuer x --agents a,,b', '--agents has an empty name in "a,,b"'],
    ['plan --issuer x --agents a --nodes n/1', '--nodes: "n/1" is not the name of a node'],
    ['plan --issuer x --agents a --count many', '--count is a number, not "many"'],
    ['plan --issuer x --agents a --common-name x --ttl 10y', '--ttl is a duration such as 30s or 48h, not "10y"'],
    ['plan --issuer x --agents a --mount ../sys', '--mount is a path such as pki, not "../sys"'],
    ['status --agents a --etcd-trusts-new', "unknown option '--etcd-trusts-new'"],
    ['plan --issuer x --agents a --yes', "unknown option '--yes'"],
  ])('%s', (argv, message) => {
    const words = argv === '' ? [] : argv.split(' ')
    expect(() => parse(words)).toThrow(UsageError)
    expect(() => parse(words)).toThrow(message)
  })
})
