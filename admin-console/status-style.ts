/** The status page's own style: no other source is loaded, and the policy allows this text alone. */
export const STATUS_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f7f7f5; --card: #fff; --ink: #1c1e21; --quiet: #5f6670; --line: #e2e3de; --accent: #0b63ce; --share: #0b63ce;
  --warn-ground: #fff4d6; --warn-ink: #6b4a00; --warn-line: #ecd08a; --good: #1a7f4b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131517; --card: #1b1e21; --ink: #e8eaed; --quiet: #9aa2ad; --line: #2d3238; --accent: #7db4ff; --share: #4d94f7;
    --warn-ground: #33290f; --warn-ink: #f3d68a; --warn-line: #5d4a1a; --good: #5bd093;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main, header { max-width: 56rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { margin: 0; font-size: 1.6rem; letter-spacing: -0.01em; }
h2 { margin: 2.25rem 0 0.75rem; font-size: 1.1rem; }
h3 { margin: 0; font-size: 1.1rem; }
p { margin: 0.35rem 0; }
.quiet { color: var(--quiet); }
.state { display: inline-flex; align-items: center; gap: 0.5rem; }
.state::before { content: ""; width: 0.6rem; height: 0.6rem; border-radius: 50%; background: var(--good); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem; margin: 0 0 0.9rem; }
.card > :first-child { margin-top: 0; }
.warning { background: var(--warn-ground); color: var(--warn-ink); border-color: var(--warn-line); }
a { color: var(--accent); text-underline-offset: 0.15em; overflow-wrap: anywhere; }
a:focus-visible, .scroll:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; margin-top: 0.75rem; font-size: 0.95rem; }
th { text-align: left; font-weight: 500; color: var(--quiet); font-size: 0.85rem; }
th, td { padding: 0.4rem 1rem 0.4rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
meter { width: 5rem; height: 0.6rem; vertical-align: middle; margin-right: 0.5rem; }
code, pre { font: 0.9em/1.5 ui-monospace, monospace; }
pre { margin: 0.6rem 0 0; overflow-x: auto; }
footer { padding: 1.5rem 0 3rem; font-size: 0.9rem; }
`;
