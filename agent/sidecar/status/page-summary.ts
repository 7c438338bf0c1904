/** The top of the status page: how the targets stand, whether Vault answers, and what fails with what to do. */
import { formatDuration } from '../../core/duration.ts'
import { runbookOf } from '../../core/reason.ts'
import { reasons } from '../../core/reason-catalog.ts'
import { type Html, html, moment } from './html.ts'
import { conditionOf, countConditions, findProblems, type Problem, sortTargets } from './problems.ts'
import type { Status, TargetStatus } from './status.ts'
import { describeLife, describeVault, sentence, signs, words } from './words.ts'

export function summarySection(status: Status): Html {
  const { targets, vault, vaultAddress, atMs } = status
  const counts = countConditions(targets)
  const [worst = 'good'] = counts[0] ?? []
  return html`<section class="summary ${worst}" aria-labelledby="summary">
<h2 id="summary">${headline(targets)}</h2>
<ul class="counts">${counts.map(([condition, count]) => html`<li class="${condition}"><span aria-hidden="true">${signs[condition]}</span> ${count} ${words[condition].toLowerCase()}</li>`)}</ul>
<ul class="targets">${sortTargets(targets).map((target) => row(target, atMs))}</ul>
${vault === undefined ? '' : html`<p class="vault">${describeVault(vault, vaultAddress, atMs)}</p>`}
</section>
${problems(findProblems(status), targets.length, atMs)}`
}

/** As a title too. */
export function headline(targets: readonly TargetStatus[]): string {
  const [worst] = sortTargets(targets)
  if (worst === undefined) return 'No target'
  const condition = conditionOf(worst)
  if (condition !== 'good') {
    const alike = targets.filter((target) => conditionOf(target) === condition)
    const whom = alike.length === 1 ? worst.component : `${alike.length} targets`
    return `${whom}: ${words[condition].toLowerCase()}`
  }
  if (targets.length === 1) return 'The certificate is good'
  return targets.length === 2 ? 'Both certificates are good' : `All ${targets.length} certificates are good`
}

function row(target: TargetStatus, nowMs: number): Html {
  const { component, certificate } = target
  const text = certificate === undefined ? (target.problem ?? '') : describeLife(certificate, nowMs).join('; ')
  return html`<li class="${conditionOf(target)}"><a href="#target-${component}">${component}</a><span>${text}</span></li>`
}

function problems(found: readonly Problem[], targetCount: number, nowMs: number): Html {
  if (found.length === 0) return html``
  return html`<section class="problems" aria-labelledby="problems">
<h2 id="problems">What fails, and what to do</h2>
${found.map((each) => problem(each, targetCount, nowMs))}
</section>`
}

function problem({ reason, components, detail, ...times }: Problem, targetCount: number, nowMs: number): Html {
  const { summary, advice } = reasons[reason]
  const whom = components.length === 0 || components.length === targetCount ? '' : ` (${components.join(', ')})`
  return html`<div class="alarm">
<h3>${sentence(summary)}${whom}</h3>
<p>${advice}</p>
${detail === undefined ? '' : html`<p class="detail">${detail}</p>`}
<p class="detail"><code>${reason}</code>${since(times, nowMs)} Runbook: ${runbookLink(runbookOf(reason))}</p>
</div>`
}

/** A link if the runbook has an address of its own (AGENT_RUNBOOK_URL). */
function runbookLink(place: string): Html {
  return place.startsWith('https://') ? html`<a href="${place}">${place}</a>` : html`<code>${place}</code>`
}

function since({ firstAtMs, retryAtMs }: Pick<Problem, 'firstAtMs' | 'retryAtMs'>, nowMs: number): Html {
  const first = firstAtMs === undefined ? '' : html`, since ${moment(firstAtMs)}`
  const retryMs = (retryAtMs ?? 0) - nowMs
  const retry =
    retryAtMs === undefined ? '' : retryMs >= 1000 ? `, next try in ${formatDuration(retryMs)}` : ', trying now'
  return html`${first}${retry}.`
}
