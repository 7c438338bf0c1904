import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../agent/cli/command-line.ts'
import { UsageError } from '../../../agent/cli/exit.ts'
import { checkComponents, checkNodes, type ProvisionOptions } from '../../../agent/cli/provision-options.ts'
import { builtInProfiles } from '../../../agent/operator/etcd/profile-table.ts'

function parseProvisionOptions(argv: readonly string[]): ProvisionOptions {
  const task = parseCommandLine(['provision', ...argv])
  if (task.command !== 'provision') throw new Error(task.command)
  return task.options
}

describe('good arguments', () => {
  it('have defaults', () => {
    expect(parseProvisionOptions(['plan'])).toEqual({
      action: 'plan',
      components: ['calico-node', 'calico-cni', 'calico-kube-controllers', 'calicoctl'],
      naming: 'node',
      nodes: [],
      nodesFile: undefined,
      profilesFile: undefined,
      prune: false,
      yes: false,
      detailedExitcode: false,
      enableAuth: false,
      strict: false,
      defaults: false,
      output: 'text',
      connection: {},
      graceMs: 3_600_000,
      resyncMs: 600_000,
      busyShare: 0.005,
    })
  })

  it('are read in any order', () => {
    const argv =
      'apply --output=json --naming node --nodes n2,n1,n2 --nodes-file - --components felix --prune --yes --enable-auth'
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
    ['follow', "unknown command 'follow'"],
    ['plan apply', "too many arguments for 'plan'"],
    ['plan --all', "unknown option '--all'"],
    ['plan --components', "option '--components <names>' argument missing"],
    ['plan --components a,,b', '--components has an empty name in "a,,b"'],
    ['plan --naming nodes', "argument 'nodes' is invalid. Allowed choices are node, component."],
    ['plan --output yaml', "argument 'yaml' is invalid. Allowed choices are text, json."],
    ['plan --naming component --nodes a', '--nodes and --nodes-file have no effect with --naming component'],
    ['plan --nodes a/b', '--nodes: "a/b" is not the name of a node'],
    ['plan --nodes a,A', '--nodes: A and a differ only in case'],
    ['plan --yes', "unknown option '--yes'"],
    ['plan --enable-auth', "unknown option '--enable-auth'"],
    ['export --prune', "unknown option '--prune'"],
    ['export --output json', "unknown option '--output'"],
    ['plan --profiles=', '--profiles is empty'],
    ['plan --naming component --strict', '--strict has no effect with --naming component'],
    ['plan --cert a', '--cert and --key belong together'],
    ['plan --endpoints=', '--endpoints is empty'],
    ['watch --endpoints a:1', "unknown option '--endpoints'"],
    ['export --defaults', "unknown option '--defaults'"],
    ['watch --defaults', "unknown option '--defaults'"],
    ['plan --prune=yes', "unknown option '--prune=yes'"],
    ['plan --max-busy 5', "unknown option '--max-busy'"],
    ['apply --max-busy 0', '--max-busy is a share of etcd\'s time from 0.1% to 100%, not "0"'],
    ['apply --max-busy 101%', 'from 0.1% to 100%, not "101%"'],
    ['apply --max-busy 5s', 'from 0.1% to 100%, not "5s"'],
  ])('%s: %s', (argv, message) => {
    const parse = () => parseProvisionOptions(argv.split(' ').filter((arg) => arg !== ''))
    expect(parse).toThrow(UsageError)
    expect(parse).toThrow(message)
  })

  it('no nodes, if a component has a user for each of them', () => {
    const check = (args: string) => () => checkNodes(parseProvisionOptions(args.split(' ')), builtInProfiles)
    const all = '--nodes or --nodes-file is missing: calico-node, calico-cni have a user for each node'
    expect(check('plan')).toThrow(UsageError)
    expect(check('plan')).toThrow(all)
    expect(check('export --components calicoctl,felix')).toThrow('is missing: felix has a user for each node')
    const enough = [
      'plan --components calicoctl',
      'plan --naming component',
      'plan --nodes node1',
      'apply --nodes-file nodes.txt',
    ]
    for (const args of enough) expect(check(args)).not.toThrow()
  })

  it('a component that there is not', () => {
    expect(() => checkComponents(['calico-nod'], ['calico-node', 'felix'])).toThrow('did you mean calico-node?')
    expect(() => checkComponents(['zzz'], ['calico-node', 'felix'])).toThrow('there are calico-node, felix')
  })
})
