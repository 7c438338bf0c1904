/**
 * Owns the status page: HTML that is complete as it is sent, without a script, a font or any other request. Its one style is
 * named by its hash in the Content-Security-Policy, which allows nothing else.
 */

import { createHash } from 'node:crypto'
import { isoTime } from '../../core/clock.ts'
import { formatDuration } from '../../core/duration.ts'
import { reasons } from '../../core/reason-catalog.ts'
import type { StatusAnswer } from '../observe/server.ts'
import type { Happening } from '../observe/timeline.ts'
import { escaped, type Html, html } from './html.ts'
import { style } from './page-style.ts'
import type { CertificateStatus, Status, TargetStatus } from './status.ts'

export function statusPage(status: Status): StatusAnswer {
  const hash = createHash('sha256').update(style).digest('base64')
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
  return {
    contentType: 'text/html; charset=utf-8',
    text: `<!doctype html>\n${page(status).text}\n`,
    headers: {
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
  }
}

function page({ node, version, vaultAddress, atMs, targets }: Status): Html {
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${node}: ${overall(targets)} – calico-vault-agent</title>
<style>${escaped(style)}</style>
</head>
<body>
<header>
<p class="product">calico-vault-agent ${version ?? ''}</p>
<h1>${node}</h1>
<p>as of ${moment(atMs)} (UTC). <a href="/">Reload</a></p>
${vaultAddress === undefined ? '' : html`<p>Vault answers at ${vaultAddress}</p>`}
</header>
<main>
${targets.map((target) => section(target, atMs))}
</main>
<footer>
<p>The same as data: <a href="/status">status</a>, <a href="/readyz">readiness</a>, <a href="/metrics">metrics</a>.</p>
</footer>
</body>
</html>`
}

const words = { good: 'Good', late: 'Overdue', expired: 'Expired', missing: 'Missing' } as const
const signs = { good: '✓', late: '!', expired: '✕', missing: '✕' } as const

function overall(targets: readonly TargetStatus[]): string {
  const bad = targets.filter(({ state }) => state !== 'good')
  return bad.length === 0 ? 'good' : bad.map(({ component, state }) => `${component} ${state}`).join(', ')
}

function section(target: TargetStatus, nowMs: number): Html {
  const { component, state, problem, certificate, failure } = target
  const shown = state === 'good' && failure !== undefined ? 'late' : state
  const word = state === 'good' && failure !== undefined ? 'Good, but not renewing' : words[state]
  return html`<section class="${shown}" aria-labelledby="${component}">
<div class="head"><h2 id="${component}">${component}</h2><p class="state"><span aria-hidden="true">${signs[shown]}</span> ${word}</p></div>
${problem === undefined ? '' : html`<p class="problem">${problem}</p>`}
${certificate === undefined ? '' : runway(certificate, nowMs)}
${failure === undefined ? '' : alarm(failure, nowMs)}
${certificate === undefined ? '' : facts(target, certificate)}
${target.ca.length === 0 ? '' : caSet(target)}
${history(target)}
</section>`
}

/** Where in its life the certificate is, in percent from 0 to 100. */
function percent(atMs: number, { notBeforeMs, notAfterMs }: CertificateStatus): number {
  const part = (atMs - notBeforeMs) / Math.max(notAfterMs - notBeforeMs, 1)
  return Math.round(Math.min(Math.max(part, 0), 1) * 1000) / 10
}

function runway(certificate: CertificateStatus, nowMs: number): Html {
  const { notAfterMs, renewAtMs } = certificate
  const leftMs = notAfterMs - nowMs
  const [spent, renewal] = [percent(nowMs, certificate), percent(renewAtMs, certificate)]
  const renews = renewAtMs > nowMs ? `renews in ${formatDuration(renewAtMs - nowMs)}` : 'is due for renewal'
  const left =
    leftMs > 0 ? html`<strong>${formatDuration(leftMs)}</strong> of runway` : html`<strong>none</strong> of runway`
  return html`<p class="runway">${left}, ${renews}</p>
<svg class="life" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="${`${spent} % of the lifetime is spent; renewal at ${renewal} %`}">
<rect class="whole" width="100" height="6"/><rect class="spent" width="${spent}" height="6"/><rect class="renewal" x="${Math.max(renewal - 0.3, 0)}" width="0.6" height="6"/>
</svg>
<div class="ends"><span>issued ${moment(certificate.notBeforeMs)}</span><span>ends ${moment(notAfterMs)}</span></div>`
}

function alarm({ reason, detail, retryAtMs, times, firstAtMs }: Happening, nowMs: number): Html {
  if (reason === undefined) return html``
  const { summary, advice } = reasons[reason]
  const since = firstAtMs === undefined ? '' : `; ${times} times since ${plain(firstAtMs)}`
  const retry =
    retryAtMs === undefined
      ? ''
      : retryAtMs > nowMs
        ? `; next try in ${formatDuration(retryAtMs - nowMs)}`
        : '; trying now'
  return html`<div class="alarm">
<h3>The last attempt failed: ${summary}</h3>
<p>${advice}</p>
<p class="detail">${detail ?? ''}</p>
<p class="detail"><code>${reason}</code>${since}${retry}</p>
</div>`
}

function facts({ directory }: TargetStatus, { commonName, serialNumber, chain, renewAtMs }: CertificateStatus): Html {
  return html`<dl>
<div><dt>Common name</dt><dd><code>${commonName}</code></dd></div>
<div><dt>Next renewal</dt><dd>${moment(renewAtMs)}</dd></div>
<div><dt>Serial number</dt><dd><code>${serialNumber.toLowerCase()}</code></dd></div>
<div><dt>Directory</dt><dd><code>${directory}</code></dd></div>
<div class="wide"><dt>Chain</dt><dd>${commonName}${chain.map((name) => ` ← ${name}`).join('')}</dd></div>
</dl>`
}

function caSet({ component, ca }: TargetStatus): Html {
  return html`<h3>CA set</h3>
<div class="scrolls" tabindex="0" role="region" aria-label="CA set of ${component}">
<table><thead><tr><th scope="col">Certificate</th><th scope="col">Ends</th><th scope="col">Used by the chain</th></tr></thead>
<tbody>${ca.map((each) => html`<tr><td>${each.name}</td><td>${moment(each.notAfterMs)}</td><td>${each.isInUse ? 'yes' : 'no'}</td></tr>`)}</tbody></table>
</div>`
}

const titles = {
  found: 'Found in place',
  published: 'Published',
  'renewal-failed': 'Attempt failed, certificate kept',
  unproven: 'Not accepted by etcd',
  recovered: 'Recovered',
} as const

function history({ happenings }: TargetStatus): Html {
  if (happenings.length === 0) return html`<h3>Time-line</h3><p>Nothing has happened since the agent started.</p>`
  return html`<h3>Time-line</h3>
<ol>${happenings.map(
    (each) => html`<li class="${each.what}"><p class="when">${moment(each.atMs)}</p>
<p><b>${titles[each.what]}</b>${each.reason === undefined ? '' : `: ${reasons[each.reason].summary}`}${each.times === undefined ? '' : ` (${each.times} times)`}</p></li>`,
  )}</ol>`
}

function moment(ms: number): Html {
  return html`<time datetime="${isoTime(ms)}">${plain(ms)}</time>`
}

/** In UTC, like the logs; a page that is read on another continent must not say anything else. */
function plain(ms: number): string {
  return isoTime(ms).slice(0, 19).replace('T', ' ')
}
