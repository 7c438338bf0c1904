/** The check of AGENT_ON_PUBLISH, on real files and processes: what it finds is what the agent would meet. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Target } from '../../../../agent/config/config.ts'
import { type OnPublishAction, parseAction } from '../../../../agent/config/on-publish.ts'
import type { Access } from '../../../../agent/operator/doctor/access.ts'
import { onPublish } from '../../../../agent/operator/doctor/checks/consumers.ts'
import { examine } from '../../../../agent/operator/doctor/examine.ts'

function createRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'on-publish-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  return root
}

async function judged(text: string | undefined) {
  const action = text === undefined ? undefined : (parseAction(text) as OnPublishAction)
  const config = { source: { kind: 'pki' }, onPublish: action && { action, when: 'every', timeoutMs: 1000 } }
  const targets = [{ component: 'calico-node' } as Target]
  const access = { config } as unknown as Access
  const found = await examine({ checks: [onPublish], targets, access, limitMs: 60_000, found: () => {} })
  return found[0]
}

test('without it there is nothing to check', async () => {
  expect(await judged(undefined)).toBeUndefined()
})

test('a URL of this machine is not asked', async () => {
  expect(await judged('http://127.0.0.1:9/reload')).toMatchObject({ status: 'ok', saw: expect.stringContaining(':9/') })
})

test.each<[string, string | undefined, number, 'ok' | 'failure', RegExp]>([
  ['a program', '\u007fELF', 0o755, 'ok', /tell$/],
  ['a script', '#!/bin/sh -e\ntrue\n', 0o755, 'ok', /run by \/bin\/sh$/],
  [
    'a script whose interpreter is not there',
    '#! /nonexistent/sh\n',
    0o755,
    'failure',
    /tell needs \/nonexistent\/sh: ENOENT/,
  ],
  ['a program that may not be run', '#!/bin/sh\n', 0o644, 'failure', /EACCES.*tell/],
  ['a program that is not there', undefined, 0, 'failure', /ENOENT.*tell/],
])('%s', async (_what, content, mode, status, saw) => {
  const path = join(createRoot(), 'tell')
  if (content !== undefined) writeFileSync(path, content)
  if (content !== undefined) chmodSync(path, mode)
  const found = await judged(`${path} --reload`)
  expect([found?.status, found?.code]).toEqual([status, status === 'ok' ? undefined : 'on-publish-failed'])
  expect(found?.saw).toMatch(saw)
})

test('a directory is no program', async () => {
  const path = join(createRoot(), 'tell')
  mkdirSync(path)
  expect(await judged(path)).toMatchObject({ status: 'failure', saw: `${path}: it is not a file` })
})

test.each<[string, string | undefined, 'ok' | 'failure', RegExp]>([
  ['a process that runs; it is not signaled', `${process.ppid}\n`, 'ok', /may be signaled/],
  ['one that has ended', '99999999\n', 'failure', /no such process runs/],
  ['no number', 'none', 'failure', /holds no process id/],
  ['no pid file', undefined, 'failure', /ENOENT/],
])('a pid file: %s', async (_what, content, status, saw) => {
  const path = join(createRoot(), 'pid')
  if (content !== undefined) writeFileSync(path, content)
  const found = await judged(`SIGHUP:${path}`)
  expect([found?.status, found?.saw]).toEqual([status, expect.stringMatching(saw)])
})
