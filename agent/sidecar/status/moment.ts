/** Times on the page: in UTC, like the logs. A page that is read on another continent must not say anything else. */
import { isoTime } from '../../core/clock.ts'
import { type Html, html } from './html.ts'

export function moment(ms: number): Html {
  return html`<time datetime="${isoTime(ms)}">${isoTime(ms).slice(0, 19).replace('T', ' ')}</time>`
}
