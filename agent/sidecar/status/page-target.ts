/** One target on the status page: how its certificate stands, what it is, and what has happened to it. */
import { reasons } from '../../core/reason-catalog.ts'
import type { Happening } from '../observe/timeline.ts'
import { type Html, html, moment } from './html.ts'
import { conditionOf } from './problems.ts'
import type { CaStatus, CertificateStatus, TargetStatus } from './status.ts'
import { describeBudget, describeLife, signs, words } from './words.ts'

export function targetSection(target: TargetStatus, nowMs: number): Html {
  const { component, problem, certificate } = target
  const condition = conditionOf(target)
  return html`<section class="${condition}" aria-labelledby="target-${component}">
<div class="head"><h2 id="target-${component}">${component}</h2><p class="state"><span aria-hidden="true">${signs[condition]}</span> ${words[condition]}</p></div>
${problem === undefined ? '' : html`<p class="problem">${problem}</p>`}
${certificate === undefined ? '' : life(certificate, nowMs)}
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
${budget === undefined ? '' : html`<div><dt>Issued in the last hour</dt><dd>${describeBudget(budget)}</dd></div>`}
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
<ol>${happenings.map(
    (each) => html`<li class="${each.what}"><p class="when">${moment(each.atMs)}</p>
<p><b>${titles[each.what]}</b>${each.reason === undefined ? '' : `: ${reasons[each.reason].summary}`}${each.times === undefined ? '' : ` (${each.times} times)`}</p></li>`,
  )}</ol>`
}
