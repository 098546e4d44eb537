"""What the page of a study adds to the look of all reports."""

from ppaint_stats.report.style import STYLE

PAGE = """
html { scroll-behavior: smooth; scroll-padding-top: 3.6rem; -webkit-text-size-adjust: 100%; }
body.ppaint { max-width: none; margin: 0; padding: 0; overflow-wrap: anywhere; }
.ppaint .skip { position: absolute; left: -99rem; top: 0; background: var(--page); padding: .6rem 1rem; z-index: 9; }
.ppaint .skip:focus { left: 0; }
.ppaint :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: .2rem; }
.ppaint .top { position: sticky; top: 0; z-index: 5; display: flex; align-items: center; gap: .25rem 1.1rem;
  background: var(--page); border-bottom: 1px solid var(--line); padding: .55rem max(1.25rem, calc(50vw - 34rem)); }
.ppaint .top ul { display: flex; gap: .2rem 1.1rem; list-style: none; margin: 0; padding: .2rem; overflow-x: auto;
  flex: 1; white-space: nowrap; font-size: .875rem; }
.ppaint .top a { color: var(--soft); text-decoration: none; } .ppaint .top a:hover { color: var(--ink); }
.ppaint button, .ppaint select, .ppaint input { font: inherit; color: inherit; }
.ppaint .top button { border: 1px solid var(--line); background: var(--card); border-radius: 1rem;
  padding: .15rem .9rem; font-size: .875rem; cursor: pointer; white-space: nowrap; }
.ppaint main { max-width: 68rem; margin: 0 auto; padding: 2.2rem 1.25rem 4rem; }
.ppaint h1 { font-size: clamp(1.7rem, 5vw, 2.4rem); letter-spacing: -.02em; margin: 0 0 .4rem; font-weight: 650; }
.ppaint .lead { color: var(--soft); font-size: 1.05rem; margin: 0 0 1.6rem; }
.ppaint section { margin: 0 0 3.6rem; } .ppaint section > h2 { font-size: 1.45rem; letter-spacing: -.01em;
  margin: 0 0 .9rem; padding-top: 1.2rem; border-top: 1px solid var(--line); font-weight: 650; }
.ppaint h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; font-weight: 600; }
.ppaint section > p { max-width: 44rem; }
.ppaint .verdicts { list-style: none; margin: 0; padding: 0; display: grid; gap: .6rem; }
.ppaint .verdicts li { display: grid; grid-template-columns: 7.2rem 1fr; gap: .2rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-left: .3rem solid var(--tone); border-radius: .45rem; padding: .7rem 1rem; }
.ppaint .tag { color: var(--tone); font-weight: 650; font-size: .875rem; padding-top: .1rem; }
.ppaint .good { --tone: var(--good); } .ppaint .look { --tone: var(--look); } .ppaint .bad { --tone: var(--bad); }
.ppaint .open { --tone: var(--open); }
.ppaint .verdicts p { margin: 0; max-width: 46rem; } .ppaint .verdicts .do { color: var(--soft); margin-top: .2rem; }
.ppaint .verdicts + .verdicts { margin-top: .6rem; }
.ppaint .counts { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; margin: 0 0 1.2rem; padding: 0; list-style: none; }
.ppaint .counts b { font-size: 1.5rem; color: var(--tone); font-variant-numeric: tabular-nums; margin-right: .35rem; }
.ppaint .missing { border-left: .3rem solid var(--line); padding: .1rem 1rem; color: var(--soft); }
.ppaint details { margin: .8rem 0; border: 1px solid var(--line); border-radius: .45rem; padding: 0 1rem; }
.ppaint summary { cursor: pointer; padding: .6rem 0; font-weight: 550; } .ppaint details[open] { padding-bottom: 1rem; }
.ppaint main .scroll { max-height: 36rem; border: 1px solid var(--line); border-radius: .45rem; }
.ppaint main table { width: 100%; } .ppaint main caption { padding: .7rem .75rem; position: sticky; left: 0;
  max-width: min(46rem, calc(100vw - 4.2rem)); }
.ppaint main thead th { position: sticky; top: 0; background: var(--card); z-index: 1;
  box-shadow: 0 1px 0 var(--line); }
.ppaint main tbody tr:last-child > * { border-bottom: 0; }
.ppaint button.sort { border: 0; background: none; padding: 0; margin: 0; font-weight: inherit; cursor: pointer;
  text-align: inherit; white-space: normal; }
.ppaint button.sort::after { content: "\\a0\\2195"; color: var(--soft); opacity: .6; }
.ppaint [aria-sort="ascending"] button::after { content: "\\a0\\2191"; opacity: 1; color: var(--link); }
.ppaint [aria-sort="descending"] button::after { content: "\\a0\\2193"; opacity: 1; color: var(--link); }
.ppaint .controls { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: end; margin: .8rem 0 .6rem; }
.ppaint .field { display: grid; gap: .15rem; font-size: .875rem; } .ppaint .field label { color: var(--soft); }
.ppaint .field select, .ppaint .field input { background: var(--page); border: 1px solid var(--soft);
  border-radius: .35rem; padding: .3rem .55rem; max-width: 15rem; box-sizing: border-box; }
.ppaint .status { color: var(--soft); font-size: .875rem; padding-bottom: .35rem; }
.ppaint .bar { display: block; position: relative; width: 9rem; height: .7rem; margin: .35rem 0; }
.ppaint .bar::before { content: ""; position: absolute; left: 0; right: 0; top: 50%;
  border-top: 1px solid var(--line); }
.ppaint .bar i { position: absolute; top: .17rem; height: .36rem; background: var(--bar); border-radius: .2rem; }
.ppaint .bar b { position: absolute; top: .05rem; width: .6rem; height: .6rem; margin-left: -.3rem; border-radius: 50%;
  background: var(--dot); }
.ppaint .thumb { display: block; width: 3rem; height: 3rem; background-position: center; background-size: contain;
  background-repeat: no-repeat; }
.ppaint .cite { padding-left: 1.2rem; max-width: 46rem; } .ppaint .cite li { margin: .3rem 0; }
.ppaint .simulated { background: var(--band); border: 1px solid var(--look); border-radius: .45rem;
  padding: .4rem .9rem;
  display: inline-block; margin: 0 0 1.2rem; }
.ppaint footer { color: var(--soft); font-size: .875rem; }
@media (max-width: 40rem) {
  .ppaint .top button.paper { display: none; }
  .ppaint main { padding-top: 1.4rem; } .ppaint .verdicts li { grid-template-columns: 1fr; }
  .ppaint .bar { width: 5rem; } .ppaint section { margin-bottom: 2.6rem; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print {
  @page { margin: 16mm 14mm; }
  .ppaint .top, .ppaint .skip, .ppaint .controls { display: none; }
  .ppaint main { max-width: none; padding: 0; } .ppaint section { margin-bottom: 1.2rem; }
  .ppaint section + section { break-before: page; } .ppaint .verdicts li { break-inside: avoid; }
  .ppaint main .scroll { border: 0; } .ppaint main thead th { position: static; box-shadow: none; }
  .ppaint button.sort::after { content: none !important; } .ppaint details { border: 0; padding: 0; }
  .ppaint:not([data-paper]) main tbody tr:nth-child(n + 31 of :not([hidden])) { display: none; }
  .ppaint:not([data-paper]) main .scroll[data-rows]::after { display: block; padding: .4rem 0; font-style: italic;
    content: "The first 30 of " attr(data-rows) " rows. The page holds all, and prints them by its button Print all."; }
  .ppaint[data-paper] tbody tr[hidden] { display: table-row; }
  .ppaint[data-paper] details::details-content { content-visibility: visible; display: block; block-size: auto;
    opacity: 1; }
  .ppaint main th, .ppaint main td { padding: .15rem .35rem; min-width: 0; } .ppaint .number { white-space: normal; }
  .ppaint .bar, .ppaint .thumb, .ppaint .verdicts li { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .ppaint .bar { width: 4.5rem; }
}
"""

ROWS_ON_PAPER = 30
"""Rows of a table that are printed unless all are asked for: the number in the style above."""

STUDY_STYLE = STYLE + PAGE
"""Style of the page of a study."""
