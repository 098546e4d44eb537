"""The look of every page: quiet colours in light and dark, tables that scroll in themselves, and a sheet for paper."""

LIGHT = """--ink: #1b2127; --soft: #56616b; --line: #d9dfe4; --band: #f5f7f8; --page: #fff; --card: #fafbfc;
  --link: #0b5cad; --good: #17693f; --look: #8a5200; --bad: #b02a22; --open: #56616b; --bar: #8fb7d9; --dot: #0b5cad;
  --ground: #fff; --stroke: #000; --grid: #e4e4e4; --grey: #767676; --blue: #0072b2;
  color-scheme: light;"""

DARK = """--ink: #e5e9ed; --soft: #a9b4be; --line: #38424b; --band: #1d2328; --page: #14181c; --card: #1a1f24;
  --link: #7db8f0; --good: #6ccf9c; --look: #e8b35a; --bad: #f49188; --open: #a9b4be; --bar: #3d6488; --dot: #7db8f0;
  --ground: #14181c; --stroke: #e5e9ed; --grid: #333c44; --grey: #9aa5ae; --blue: #4099d6;
  color-scheme: dark;"""

BASE = """
.ppaint { color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
body.ppaint { background: var(--page); max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
.ppaint h1 { font-size: 1.7rem; line-height: 1.2; } .ppaint h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
.ppaint h1, .ppaint h2, .ppaint h3, .ppaint p, .ppaint figcaption, .ppaint caption, .ppaint li { overflow-wrap:
  anywhere; }
.ppaint p { max-width: 46rem; } .ppaint a { color: var(--link); }
.ppaint .scroll { overflow: auto; max-width: 100%; }
.ppaint table { border-collapse: collapse; font-size: .875rem; line-height: 1.4; }
.ppaint caption { text-align: left; color: var(--soft); padding: 0 0 .5rem; max-width: 46rem; }
.ppaint th, .ppaint td { padding: .32rem .75rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; max-width: 30rem; overflow-wrap: break-word; }
.ppaint td.long, .ppaint th.long { overflow-wrap: anywhere; min-width: 9rem; }
.ppaint thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; font-weight: 600; overflow-wrap:
  normal; }
.ppaint tbody th { font-weight: 500; min-width: 7rem; }
.ppaint tbody tr:nth-child(even) { background: var(--band); }
.ppaint .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ppaint .settings { color: var(--soft); font-size: .875rem; }
.ppaint .passed { color: var(--good); } .ppaint .failed { color: var(--bad); }
.ppaint figure { margin: 1.2rem 0; max-width: 100%; }
.ppaint figcaption { color: var(--soft); font-size: .875rem; max-width: 46rem; margin-top: .4rem; }
.ppaint .drawing { overflow-x: auto; background: var(--ground); border-radius: .4rem; padding: .6rem;
  max-width: 52rem; box-sizing: border-box; border: 1px solid var(--line); }
.ppaint .drawing svg { fill: var(--stroke); }
.ppaint .drawing.plain { background: #fff; color-scheme: light; } .ppaint .drawing.plain svg { fill: #000; }
.ppaint .drawing svg, .ppaint .drawing img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
@media (max-width: 40rem) { .ppaint .drawing svg, .ppaint .drawing img { min-width: 32rem; max-width: none; } }
@media print {
  body.ppaint { max-width: none; margin: 0; padding: 0; font-size: 10.5pt; }
  .ppaint .scroll { overflow: visible; max-height: none !important; } .ppaint table { font-size: 8.5pt; }
  .ppaint thead { display: table-header-group; } .ppaint tr, .ppaint figure { break-inside: avoid; }
  .ppaint h2, .ppaint h3, .ppaint caption { break-after: avoid; }
  .ppaint .drawing svg, .ppaint .drawing img { min-width: 0; max-width: 100%; max-height: 23cm; }
}
"""

STYLE = f"""
.ppaint {{ {LIGHT} }}
@media (prefers-color-scheme: dark) {{ .ppaint {{ {DARK} }} }}
.ppaint[data-theme="light"] {{ {LIGHT} }}
.ppaint[data-theme="dark"] {{ {DARK} }}
@media print {{ .ppaint, .ppaint[data-theme="dark"] {{ {LIGHT} }} }}
{BASE}"""
"""Style of all pages; a class keeps it from what stands beside a report in a notebook."""
