/** Proves the status page of a running agent in a real browser: what it says, that everybody can read it, and that it asks nobody else. */
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type AgentProcess, spawnAgent } from '../../support/agent-process.ts'
import { type Browser, browserMissing, startBrowser } from '../../support/browser.ts'
import { startDevVault } from '../../support/dev-vault/dev-vault.ts'
import { createTestNode, withLab } from '../agent/lab.ts'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const components = ['calico-node', 'calico-cni']
const schemes = ['light', 'dark'] as const
/** A large screen, a desktop, a phone, and what is left of a desktop that is zoomed to 400 % (WCAG 1.4.10). */
const sizes = [
  { width: 1600, height: 1000 },
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
  { width: 320, height: 640 },
]

const leftOut = browserMissing === undefined ? '' : ` (left out: ${browserMissing})`

describe.skipIf(browserMissing !== undefined)(`the status page in Chromium${leftOut}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  }, 60_000)
  afterAll(() => browser?.close())

  withLab(startDevVault, {}, (lab) => {
    async function startAgent(env: Readonly<Record<string, string>> = {}): Promise<AgentProcess> {
      const { root, environment } = createTestNode(lab(), { env: { AGENT_DIR: undefined, ...env } })
      for (const component of components) mkdirSync(join(root, component))
      const targets = components.map((component) => `${component}=${join(root, component)}`).join(',')
      const agent = spawnAgent({ ...environment, AGENT_TARGETS: targets }, { patienceMs: 30_000 })
      await agent.ask('/startupz')
      return agent
    }

    /** SIGHUP, and the end of the attempt at each target. */
    async function renew(agent: AgentProcess, event: 'published' | 'renewal-failed'): Promise<void> {
      const before = agent.lines.length
      agent.signal('SIGHUP')
      const ended = new Set<string>()
      await agent.nextLine((line) => {
        if (agent.lines.indexOf(line) >= before && line.event === event) ended.add(line.component ?? '')
        return ended.size === components.length
      })
    }

    async function open(agent: AgentProcess): Promise<{ page: Page; requests: string[]; complaints: string[] }> {
      const page = await browser.context.newPage()
      onTestFinished(() => page.close())
      const [requests, complaints]: [string[], string[]] = [[], []]
      page.on('request', (request) => requests.push(request.url()))
      page.on('console', (message) => complaints.push(message.text()))
      page.on('pageerror', (error) => complaints.push(error.message))
      const listening = agent.lines.find(({ event }) => event === 'listening')
      await page.goto(`http://${String(listening?.['address'])}/`)
      return { page, requests, complaints }
    }

    async function expectReadable(page: Page): Promise<void> {
      for (const colorScheme of schemes) {
        await page.emulateMedia({ colorScheme })
        for (const size of sizes) {
          await page.setViewportSize(size)
          const { violations } = (await page.evaluate(`${axeSource}; axe.run()`)) as AxeResults
          expect(
            violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
            colorScheme,
          ).toEqual([])
          const overflow = await page.evaluate(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          )
          expect(overflow, `${size.width} wide`).toBe(0)
        }
      }
    }

    it('shows what is published, and what has happened, to everybody', async () => {
      const agent = await startAgent()
      await renew(agent, 'published')
      const { page, requests, complaints } = await open(agent)
      expect(await page.title()).toMatch(/^node1: Both certificates are good/)
      const summary = page.getByRole('region', { name: 'Both certificates are good' })
      expect(await summary.innerText()).toMatch(
        /2 good.*calico-node.*Valid for.*; renews in.*Vault answered .*, asked for/s,
      )
      expect(await page.getByRole('region', { name: /^What fails/ }).count()).toBe(0)
      for (const component of components) {
        const section = page.getByRole('region', { name: component, exact: true })
        const text = await section.innerText()
        expect(text).toContain('Good')
        expect(text).toContain(`${component}:node1`)
        expect(text).toMatch(/Valid for \d.*; renews in \d+/)
        expect(text).toMatch(/Calico etcd clients/)
        expect(await section.getByRole('listitem').allInnerTexts()).toMatchObject([
          expect.stringContaining('Published: requested (renew, SIGHUP)'),
          expect.stringContaining('Published: first certificate'),
        ])
      }
      await expectReadable(page)
      expect(requests).toEqual([page.url()])
      expect(complaints).toEqual([])
      const html = await page.content()
      expect(html).not.toMatch(/PRIVATE KEY|hv[bs]\.|eyJ/)
    })

    it('shows why nothing is renewed, and what to do', async () => {
      const agent = await startAgent()
      await renew(agent, 'published')
      await lab().vault.seal()
      onTestFinished(() => lab().vault.unseal())
      await renew(agent, 'renewal-failed')
      const { page, complaints } = await open(agent)
      const section = page.getByRole('region', { name: 'calico-node', exact: true })
      const text = await section.innerText()
      expect(text).toContain('Good, but not renewing')
      const todo = page.getByRole('region', { name: 'What fails, and what to do' })
      expect(await todo.getByRole('heading', { level: 3 }).allInnerTexts()).toEqual([
        'Vault is sealed or not initialized',
      ])
      const problem = await todo.innerText()
      for (const part of ['Unseal Vault.', 'vault-sealed', '503']) expect(problem).toContain(part)
      expect(problem).toMatch(/next try in|trying now/)
      const order = await page.getByRole('heading', { level: 2 }).allInnerTexts()
      expect(order.slice(0, 2)).toEqual(['2 targets: good, but not renewing', 'What fails, and what to do'])
      await expectReadable(page)
      expect(complaints).toEqual([])
      const { STATUS_PAGE_SCREENSHOT: path } = process.env
      if (path !== undefined) await screenshot(page, path)
    })

    it('shows a sealed Vault as soon as the issuers are looked at, long before the renewal', async () => {
      const agent = await startAgent({ AGENT_TTL: '4m' })
      await lab().vault.seal()
      onTestFinished(() => lab().vault.unseal())
      await agent.nextLine(({ event }) => event === 'ca-refresh-failed')
      expect(agent.lines.filter(({ event }) => event === 'renewal-failed')).toEqual([])
      const { page } = await open(agent)
      const todo = page.getByRole('region', { name: 'What fails, and what to do' })
      expect(await todo.innerText()).toMatch(/Vault is sealed or not initialized.*Unseal Vault\./s)
      const summary = page.getByRole('region', { name: 'Both certificates are good' })
      expect(await summary.innerText()).toMatch(/Vault is sealed.*Vault was last asked .*It last answered /s)
      const { vault } = JSON.parse((await agent.ask('/status')).text) as { vault: unknown }
      expect(vault).toMatchObject({
        answered: { operation: expect.any(String) as string },
        failure: { reason: 'vault-sealed' },
      })
    })
  })
})

/** For docs/: STATUS_PAGE_SCREENSHOT=docs/status-page.png vitest run test/integration/status/page.test.ts */
async function screenshot(page: Page, path: string): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 900, height: 2000 })
  const first = await page.getByRole('region', { name: 'calico-node', exact: true }).boundingBox()
  await page.screenshot({ path, clip: { x: 0, y: 0, width: 900, height: (first?.y ?? 0) + (first?.height ?? 0) + 20 } })
}
