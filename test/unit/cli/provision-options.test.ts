import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../agent/cli/failure.ts'
import { checkComponents, parseProvisionOptions } from '../../../agent/cli/provision-options.ts'

describe('good arguments', () => {
  it('have defaults', () => {
    expect(parseProvisionOptions(['plan'])).toEqual({
      action: 'plan',
      components: ['calico-node', 'calico-cni', 'calico-kube-controllers', 'calicoctl'],
      naming: 'component',
      nodes: [],
      nodesFile: undefined,
      profilesFile: undefined,
      prune: false,
      yes: false,
      enableAuth: false,
      strict: false,
      defaults: false,
      output: 'text',
      graceMs: 3_600_000,
      resyncMs: 600_000,
      busyShare: 0.05,
    })
  })

  it('are read in any order', () => {
    const argv =
      '--output=json apply --naming node --nodes n2,n1,n2 --nodes-file - --components felix --prune --yes --enable-auth'
    expect(parseProvisionOptions(argv.split(' '))).toMatchObject({
      action: 'apply',
      components: ['felix'],
      naming: 'node',
      nodes: ['n1', 'n2'],
      nodesFile: '-',
      prune: true,
      yes: true,
      enableAuth: true,
      output: 'json',
    })
  })
})

describe('bad arguments', () => {
  it.each([
    ['', 'provision needs one of plan, apply, export'],
    ['follow', 'provision needs one of plan, apply, export, watch'],
    ['plan apply', 'provision plan takes no apply'],
    ['plan --all', "provision: Unknown option '--all'"],
    ['plan --components', "provision: Option '--components <value>' argument missing"],
    ['plan --components a,,b', '--components has an empty name in "a,,b"'],
    ['plan --naming nodes', '--naming is component or node, not "nodes"'],
    ['plan --output yaml', '--output is text or json, not "yaml"'],
    ['plan --naming node', '--naming node needs --nodes or --nodes-file'],
    ['plan --nodes a', '--nodes and --nodes-file need --naming node'],
    ['plan --naming node --nodes a/b', '--nodes: "a/b" is not the name of a node'],
    ['plan --naming node --nodes a,A', '--nodes: A and a differ only in case'],
    ['plan --yes', '--yes has no meaning for provision plan'],
    ['plan --enable-auth', '--enable-auth has no meaning for provision plan'],
    ['export --prune', '--prune has no meaning for provision export'],
    ['export --output json', '--output has no meaning for provision export'],
    ['plan --profiles=', '--profiles is empty'],
    ['plan --strict', '--strict needs --naming node'],
    ['export --defaults', '--defaults has no meaning for provision export'],
    ['watch --defaults', '--defaults has no meaning for provision watch'],
    ['plan --prune=yes', 'does not take an argument'],
    ['plan --max-busy 5', '--max-busy has no meaning for provision plan'],
    ['apply --max-busy 0', '--max-busy is a share of etcd\'s time from 0.1% to 100%, not "0"'],
    ['apply --max-busy 101%', 'from 0.1% to 100%, not "101%"'],
    ['apply --max-busy 5s', 'from 0.1% to 100%, not "5s"'],
  ])('%s: %s', (argv, message) => {
    const parse = () => parseProvisionOptions(argv.split(' ').filter((arg) => arg !== ''))
    expect(parse).toThrow(UsageError)
    expect(parse).toThrow(message)
  })

  it('a component that there is not', () => {
    expect(() => checkComponents(['calico-nod'], ['calico-node', 'felix'])).toThrow('did you mean calico-node?')
    expect(() => checkComponents(['zzz'], ['calico-node', 'felix'])).toThrow('there are calico-node, felix')
  })
})
