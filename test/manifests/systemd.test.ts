/** The systemd unit is one that systemd takes and holds for well confined, and its environment is one that the agent takes. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../agent/config/config.ts'

const directory = join(import.meta.dirname, '../../manifests/systemd')
const unit = readFileSync(join(directory, 'calico-vault-agent.service'), 'utf8')
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
const leftOut = hasSystemd ? '' : ' (left out: no systemd-analyze)'
/** As systemd shows them to the service. */
const credentials = '/run/credentials/calico-vault-agent.service'

describe('the environment of the systemd unit', () => {
  const environment = () => {
    const own = /^Environment=(.*)$/m.exec(unit)?.[1]?.replaceAll('%d', credentials) ?? ''
    return { ...parseEnv(readFileSync(join(directory, 'agent.env'), 'utf8')), ...parseEnv(own.replaceAll(' ', '\n')) }
  }

  it('is taken by the agent, with the credentials that the unit loads', () => {
    const { auth } = parseConfig(environment(), 'host')
    const loaded = [...unit.matchAll(/^LoadCredential=([\w-]+):/gm)].map(([, name]) => `${credentials}/${name}`)
    expect(auth).toMatchObject({ method: 'approle', roleIdFile: loaded[0], secretIdFile: loaded[1] })
  })

  it('writes only where the unit lets it', () => {
    const { targets, stateDirectory } = parseConfig(environment(), 'host')
    expect(targets.map((target) => target.directory)).toEqual([`/run/${/^RuntimeDirectory=(.*)$/m.exec(unit)?.[1]}`])
    expect(stateDirectory).toBe(`/var/lib/${/^StateDirectory=(.*)$/m.exec(unit)?.[1]}`)
  })
})

describe.skipIf(!hasSystemd)(`systemd${leftOut}`, () => {
  /** The programs are not installed here: their places are taken by one that is. */
  const installed = () => {
    const copy = mkdtempSync(join(tmpdir(), 'unit-'))
    onTestFinished(() => rmSync(copy, { recursive: true }))
    const path = join(copy, 'calico-vault-agent.service')
    writeFileSync(path, unit.replaceAll('/usr/local/bin/node', process.execPath))
    return path
  }

  it('takes the unit without a word', () => {
    const { status, stderr, stdout } = spawnSync('systemd-analyze', ['verify', '--man=no', installed()], {
      encoding: 'utf8',
    })
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' })
  })

  it('rates its exposure as low', () => {
    const { status, stdout } = spawnSync(
      'systemd-analyze',
      ['security', '--offline=yes', '--threshold=15', '--no-pager', installed()],
      {
        encoding: 'utf8',
      },
    )
    expect({ status, overall: stdout.split('\n').findLast((line) => line.includes('Overall')) }).toMatchObject({
      status: 0,
    })
  })
})
