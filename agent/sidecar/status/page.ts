/**
 * Owns the status page: HTML that is complete as it is sent, without a script, a font or any other request. Its one style is
 * named by its hash in the Content-Security-Policy, which allows nothing else.
 */

import { createHash } from 'node:crypto'
import type { StatusAnswer } from '../observe/server.ts'
import { escaped, type Html, html, moment } from './html.ts'
import { style } from './page-style.ts'
import { headline, summarySection } from './page-summary.ts'
import { targetSection } from './page-target.ts'
import { sortTargets } from './problems.ts'
import type { Status } from './status.ts'

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
<p class="product">calico-vault-agent ${version ?? ''}</p>
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
