/**
 * Owns the status page: HTML that is complete as it is sent, without a script, a font or any other request. Its one style is
 * named by its hash in the Content-Security-Policy, which allows nothing else.
 */
import { createHash } from 'node:crypto'
import { formatDuration } from '../../core/duration.ts'
import { runbookOf } from '../../core/reason.ts'
import { reasons } from '../../core/reason-catalog.ts'
import type { StatusAnswer } from '../observe/server.ts'
import type { Happening } from '../observe/timeline.ts'
import { escaped, type Html, html, moment } from './html.ts'
import { style } from './page-style.ts'
import {
  type Condition,
  conditionOf,
  conditions,
  countConditions,
  findProblems,
  type Problem,
  sortTargets,
} from './problems.ts'
import type { CaStatus, CertificateStatus, Status, TargetStatus } from './status.ts'
import { describeBudget, describeLife, describeVault, sentence } from './words.ts'

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

function page(status: Status): Html {
  const { node, version, atMs, targets } = status
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${node}: ${headline(targets)} – calico-vault-agent</title>
<style>${escaped(style)}</style>
</head>
<body>
<header>
<p class="product">calico-vault-agent ${version}</p>
<h1>${node}</h1>
<p>as of ${moment(atMs)} (UTC). <a href="/">Reload</a></p>
</header>
<main>
${summarySection(status)}
${sortTargets(targets).map((target) => targetSection(target, atMs))}
</main>
<footer>
<p>The same as data: <a href="/status">status</a>, <a href="/readyz">readiness</a>, <a href="/metrics">metrics</a>.</p>
</footer>
</body>
</html>`
}

/** How the targets stand, whether Vault answers, and what fails with what to do. */
function summarySection(status: Status): Html {
  const { targets, vault, vaultAddress, atMs } = status
  const counts = countConditions(targets)
  const [worst = 'good'] = counts[0] ?? []
  return html`<section class="summary ${worst}" aria-labelledby="summary">
<h2 id="summary">${headline(targets)}</h2>
<ul class="counts">${counts.map(conditionCount)}</ul>
<ul class="targets">${sortTargets(targets).map((target) => row(target, atMs))}</ul>
${vault && html`<p class="vault">${describeVault(vault, vaultAddress, atMs)}</p>`}
</section>
${problems(findProblems(status), targets.length, atMs)}`
}

function conditionCount([condition, count]: [Condition, number]): Html {
  const { sign, word } = conditions[condition]
  return html`<li class="${condition}"><span aria-hidden="true">${sign}</span> ${count} ${word.toLowerCase()}</li>`
}

/** As a title too. */
function headline(targets: readonly TargetStatus[]): string {
  const [worst] = sortTargets(targets)
  if (worst === undefined) return 'No target'
  const condition = conditionOf(worst)
  if (condition !== 'good') {
    const alike = targets.filter((target) => conditionOf(target) === condition)
    const whom = alike.length === 1 ? worst.component : `${alike.length} targets`
    return `${whom}: ${conditions[condition].word.toLowerCase()}`
  }
  if (targets.length === 1) return 'The certificate is good'
  return targets.length === 2 ? 'Both certificates are good' : `All ${targets.length} certificates are good`
}

function row(target: TargetStatus, nowMs: number): Html {
  const { component, certificate } = target
  const text = certificate === undefined ? target.problem : describeLife(certificate, nowMs).join('; ')
  return html`<li class="${conditionOf(target)}"><a href="#target-${component}">${component}</a><span>${text}</span></li>`
}

function problems(found: readonly Problem[], targetCount: number, nowMs: number): Html | undefined {
  if (found.length === 0) return undefined
  return html`<section class="problems" aria-labelledby="problems">
<h2 id="problems">What fails, and what to do</h2>
${found.map((each) => alarm(each, targetCount, nowMs))}
</section>`
}

function alarm({ reason, components, detail, ...times }: Problem, targetCount: number, nowMs: number): Html {
  const { summary, advice } = reasons[reason]
  const whom = components.length === 0 || components.length === targetCount ? '' : ` (${components.join(', ')})`
  return html`<div class="alarm">
<h3>${sentence(summary)}${whom}</h3>
<p>${advice}</p>
${detail && html`<p class="detail">${detail}</p>`}
<p class="detail"><code>${reason}</code>${since(times, nowMs)} Runbook: ${runbookLink(runbookOf(reason))}</p>
</div>`
}

/** A link if the runbook has an address of its own (AGENT_RUNBOOK_URL). */
function runbookLink(place: string): Html {
  return place.startsWith('https://') ? html`<a href="${place}">${place}</a>` : html`<code>${place}</code>`
}

function since({ firstAtMs, retryAtMs }: Pick<Problem, 'firstAtMs' | 'retryAtMs'>, nowMs: number): Html {
  const first = firstAtMs === undefined ? undefined : html`, since ${moment(firstAtMs)}`
  return html`${first}${retryAtMs === undefined ? undefined : nextTry(retryAtMs - nowMs)}.`
}

function nextTry(inMs: number): string {
  return inMs >= 1000 ? `, next try in ${formatDuration(inMs)}` : ', trying now'
}

/** How its certificate stands, what it is, and what has happened to it. */
function targetSection(target: TargetStatus, nowMs: number): Html {
  const { component, problem, certificate } = target
  const condition = conditionOf(target)
  const { sign, word } = conditions[condition]
  return html`<section class="${condition}" aria-labelledby="target-${component}">
<div class="head"><h2 id="target-${component}">${component}</h2><p class="state"><span aria-hidden="true">${sign}</span> ${word}</p></div>
${problem && html`<p class="problem">${problem}</p>`}
${certificate && life(certificate, nowMs)}
${certificate && facts(target, certificate)}
${target.ca.length > 0 ? caSet(target) : undefined}
${history(target)}
</section>`
}

/** Where in its life the certificate is, in percent from 0 to 100. */
function percent(atMs: number, { notBeforeMs, notAfterMs }: CertificateStatus): number {
  const part = (atMs - notBeforeMs) / Math.max(notAfterMs - notBeforeMs, 1)
  return Math.round(Math.min(Math.max(part, 0), 1) * 1000) / 10
}

function life(certificate: CertificateStatus, nowMs: number): Html {
  const { notBeforeMs, notAfterMs, renewAtMs } = certificate
  const [spent, renewal] = [percent(nowMs, certificate), percent(renewAtMs, certificate)]
  const [large, rest] = describeLife(certificate, nowMs)
  return html`<p class="runway"><strong>${large}</strong>; ${rest}</p>
<svg class="life" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label="${`${spent} % of the lifetime is spent; renewal at ${renewal} %`}">
<rect class="whole" width="100" height="6"/><rect class="spent" width="${spent}" height="6"/><rect class="renewal" x="${Math.max(renewal - 0.3, 0)}" width="0.6" height="6"/>
</svg>
<div class="ends"><span>valid from ${moment(notBeforeMs)}</span><span>valid until ${moment(notAfterMs)}</span></div>`
}

function facts(
  { directory, budget }: TargetStatus,
  { commonName, serialNumber, chain, renewAtMs }: CertificateStatus,
): Html {
  return html`<dl>
<div><dt>Common name</dt><dd><code>${commonName}</code></dd></div>
<div><dt>Next renewal</dt><dd>${moment(renewAtMs)}</dd></div>
<div><dt>Serial number</dt><dd><code>${serialNumber.toLowerCase()}</code></dd></div>
<div><dt>Directory</dt><dd><code>${directory}</code></dd></div>
${budget && html`<div><dt>Issued in the last hour</dt><dd>${describeBudget(budget)}</dd></div>`}
<div class="wide"><dt>Chain</dt><dd>${commonName}${chain.map((name) => ` ← ${name}`).join('')}</dd></div>
</dl>`
}

function caSet({ component, ca }: TargetStatus): Html {
  return html`<h3>CA set</h3>
<div class="scrolls" tabindex="0" role="region" aria-label="CA set of ${component}">
<table><thead><tr><th scope="col">Certificate</th><th scope="col">Valid until</th><th scope="col">Used</th></tr></thead>
<tbody>${ca.map((each) => html`<tr><td>${each.name}</td><td>${moment(each.notAfterMs)}</td><td>${useOf(each)}</td></tr>`)}</tbody></table>
</div>`
}

function useOf({ isInUse, verifiesEtcd }: CaStatus): string {
  const uses = [...(isInUse ? ['by the chain'] : []), ...(verifiesEtcd ? ['to verify etcd'] : [])]
  return uses.length === 0 ? 'no' : uses.join(', ')
}

const titles: Readonly<Record<Happening['what'], string>> = {
  found: 'Found in place',
  published: 'Published',
  'renewal-failed': 'Renewal failed, certificate kept',
  'look-failed': 'CA set not checked',
  unproven: 'Not accepted by etcd',
  recovered: 'Recovered',
}

function history({ happenings }: TargetStatus): Html {
  if (happenings.length === 0) return html`<h3>Timeline</h3><p>Nothing has happened since the agent started.</p>`
  return html`<h3>Timeline</h3>
<ol>${happenings.map(happened)}</ol>`
}

function happened({ what, atMs, reason, times }: Happening): Html {
  return html`<li class="${what}"><p class="when">${moment(atMs)}</p>
<p><b>${titles[what]}</b>${reason && `: ${reasons[reason].summary}`}${times && ` (${times} times)`}</p></li>`
}
