/** Owns how the status page looks: light and dark by the reader's own setting, and down to the width of a phone. */

export const style = `
:root { color-scheme: light dark;
  --ground: light-dark(#f4f6f8, #12161b); --card: light-dark(#ffffff, #1b2128); --line: light-dark(#d9dfe5, #323b46);
  --text: light-dark(#1a2129, #e7ecf1); --soft: light-dark(#52606d, #a3b0bd);
  --good: light-dark(#14683f, #5fd39a); --good-ground: light-dark(#e3f4ea, #15352a);
  --late: light-dark(#8a4b00, #ffc56b); --late-ground: light-dark(#fff2dc, #3a2a10);
  --bad: light-dark(#a3192c, #ff9aa5); --bad-ground: light-dark(#fde8ea, #401a20);
  --link: light-dark(#0b57a4, #8bc1ff); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 3rem; background: var(--ground); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
header p, footer p { margin: 0; color: var(--soft); }
.product { font-weight: 600; letter-spacing: .01em; }
h1 { margin: .1rem 0; font-size: 1.9rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.25rem; overflow-wrap: anywhere; }
h3 { margin: 1.5rem 0 .5rem; font-size: 1rem; }
a { color: var(--link); }
a:focus-visible, .scrolls:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
code { font: .875em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
section { margin: 1.25rem 0; padding: 1.25rem 1.5rem 1.5rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; --tone: var(--good); --tone-ground: var(--good-ground); }
section.late, section.failing, section.problems { --tone: var(--late); --tone-ground: var(--late-ground); }
section.expired, section.unreadable, section.missing { --tone: var(--bad); --tone-ground: var(--bad-ground); }
.head { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: space-between; }
.state { margin: 0; padding: .15rem .8rem; border-radius: 99px; font-weight: 600; color: var(--tone); background: var(--tone-ground); }
.problem { margin: 1rem 0 0; overflow-wrap: anywhere; }
.runway { margin: 1rem 0 .5rem; color: var(--soft); }
.runway strong { color: var(--text); font-size: 1.75rem; font-weight: 650; letter-spacing: -.01em; }
.life { display: block; width: 100%; height: 12px; border-radius: 6px; }
.whole { fill: var(--tone-ground); } .spent { fill: var(--tone); } .renewal { fill: var(--text); }
.ends { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; margin-top: .35rem; color: var(--soft); font-size: .875rem; }
.summary { border-left: 6px solid var(--tone); }
.summary ul { list-style: none; margin: .9rem 0 0; padding: 0; }
.counts { display: flex; flex-wrap: wrap; gap: .4rem .6rem; }
.counts li { padding: .1rem .75rem; border-radius: 99px; font-weight: 600; color: var(--tone); background: var(--tone-ground); }
.summary li { border: 0; margin: 0; --tone: var(--good); --tone-ground: var(--good-ground); }
.summary li.late, .summary li.failing { --tone: var(--late); --tone-ground: var(--late-ground); }
.summary li.expired, .summary li.unreadable, .summary li.missing { --tone: var(--bad); --tone-ground: var(--bad-ground); }
.targets li { display: flex; flex-wrap: wrap; gap: 0 1rem; justify-content: space-between; padding: .3rem 0 .3rem .8rem; border-left: 3px solid var(--tone); margin-top: .35rem; overflow-wrap: anywhere; }
.vault { margin: 1rem 0 0; overflow-wrap: anywhere; }
.alarm { margin-top: 1rem; padding: .9rem 1.1rem; border-left: 4px solid var(--tone); border-radius: 0 8px 8px 0; background: var(--tone-ground); }
.alarm h3 { margin: 0; } .alarm p { margin: .35rem 0 0; } .detail { font-size: .875rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: .75rem 2rem; margin: 1.25rem 0 0; }
dl .wide { grid-column: 1 / -1; }
dt { color: var(--soft); font-size: .875rem; } dd { margin: 0; overflow-wrap: anywhere; }
.scrolls { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .4rem 1rem .4rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-size: .875rem; font-weight: 500; } td { overflow-wrap: anywhere; min-width: 7rem; }
time { font-variant-numeric: tabular-nums; }
ol { list-style: none; margin: 0; padding: 0; }
ol li { position: relative; padding: 0 0 .9rem 1.6rem; border-left: 2px solid var(--line); margin-left: .4rem; --dot: var(--good); }
ol li:last-child { padding-bottom: 0; border-color: transparent; }
ol li::before { content: ""; position: absolute; left: -.45rem; top: .4rem; width: .8rem; height: .8rem; border-radius: 50%;
  background: var(--dot); box-shadow: 0 0 0 3px var(--card); }
li.renewal-failed, li.look-failed, li.unproven { --dot: var(--late); } li.found { --dot: var(--soft); }
ol li p { margin: 0; } .when { color: var(--soft); font-size: .875rem; }
footer { margin-top: 1.5rem; }
@media (max-width: 30rem) { section { padding: 1rem; } h1 { font-size: 1.5rem; } }
`
