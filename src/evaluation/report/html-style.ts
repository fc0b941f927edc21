/** Pages that load nothing and run nothing. */
import { type Markup, markup, raw } from './markup.js';

/** System fonts, light and dark by the reader's setting, narrow screens, print. */
const STYLE = `
:root{color-scheme:light dark;--page:#f4f6fa;--paper:#fff;--ink:#1d2433;--soft:#5b667a;--line:#e1e6ef;--accent:#2f6fed;
--good:#0b7a53;--good-bg:#dff5ea;--fair:#8a5a00;--fair-bg:#fdf0d3;--bad:#b3233b;--bad-bg:#fde4e8;--plain-bg:#e9edf5}
@media (prefers-color-scheme:dark){:root{--page:#0f1218;--paper:#171b24;--ink:#e4e8f1;--soft:#98a3b8;--line:#2a3140;--accent:#7aa7ff;
--good:#5fd8a6;--good-bg:#123528;--fair:#f2c063;--fair-bg:#3a2c0f;--bad:#ff8d9d;--bad-bg:#421a22;--plain-bg:#232a38}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 20px 64px}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.015em}
h2{font-size:20px;margin:44px 0 14px;letter-spacing:-.01em}
.note{font-size:13px;color:var(--soft);max-width:110ch;margin:12px 0 0}
code,.mono{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.card{background:var(--paper);border:1px solid var(--line);border-radius:12px}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:12px 28px;padding:18px 20px;margin:22px 0}
.facts dt{font-size:12px;color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:14px;margin:8px 0 0}
.tile{padding:16px 20px 18px}
.tile .name{font-size:13px;color:var(--soft)}
.tile .value{font-size:34px;line-height:1.2;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile .from{font-size:13px;color:var(--soft);font-variant-numeric:tabular-nums}
.bar{height:6px;border-radius:3px;background:var(--plain-bg);margin-top:10px;position:relative;overflow:hidden}
.bar i{position:absolute;inset:0 auto 0 0;border-radius:3px;background:var(--accent)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:9px 14px;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
th{font-size:12px;font-weight:600;color:var(--soft);white-space:nowrap}
.figure,th.figure{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.up,.down{font-size:12px;margin-left:6px}.up{color:var(--good)}.down{color:var(--bad)}
tbody tr.first td{border-top:1px solid var(--line)}
.after td{font-weight:600}.after .up,.after .down{font-weight:400}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(420px,100%),1fr));gap:16px}
.plots .card{padding:6px}.plots svg{display:block;width:100%;height:auto}
.sample{padding:20px;margin:0 0 20px}
.notice{padding:14px 20px;margin:18px 0 0;border-color:var(--fair);color:var(--fair);background:var(--fair-bg);font-weight:600}
.sample .question{font-size:16px;font-weight:600;margin:0 0 14px;overflow-wrap:anywhere}
.said{margin-top:8px;color:var(--soft)}.said summary{padding:6px 0}.said .mono{white-space:pre-line;margin:4px 0}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(220px,100%),1fr));gap:14px;margin:0 0 14px}
figure{margin:0}.masks{display:block;width:100%;height:auto;border-radius:8px;background:var(--plain-bg)}
.masks .pale image,.masks .pale use{filter:grayscale(.7) opacity(.75)}.masks .under{fill:#fff}.masks .under.dark{fill:#000}.masks .dark image,.masks .dark use{opacity:.4}
.masks .layer{fill-opacity:.3;stroke-width:2.5px;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.masks .without{display:none;fill:#fff;fill-opacity:1;stroke:#1d2433;paint-order:stroke}
.choose{display:inline-flex;gap:8px;align-items:baseline;cursor:pointer}.choose input{margin:0;accent-color:var(--accent);flex:none;align-self:start;margin-top:5px}
.choose:has(:focus-visible){outline:2px solid var(--accent);outline-offset:3px;border-radius:4px}
figcaption{font-size:12px;color:var(--soft);margin:0 0 5px}
.legend td{padding:7px 10px}.legend th{padding:7px 10px}
.swatch{display:inline-block;flex:none;align-self:start;width:14px;height:14px;margin:4px 8px 0 0;border-radius:4px;background:currentColor}.choose .swatch{margin-right:0}
.swatch.hollow{background:none;border:2.5px solid currentColor}
.legend td:first-child{overflow-wrap:anywhere;min-width:150px}
.rejected td:first-child bdi{text-decoration:line-through;text-decoration-thickness:1px;color:var(--soft)}
.badge{display:inline-block;padding:1px 9px;border-radius:999px;font-size:13px;white-space:nowrap;background:var(--plain-bg)}
.right .badge{color:var(--good);background:var(--good-bg)}.inexact .badge{color:var(--fair);background:var(--fair-bg)}
.wrong .badge{color:var(--bad);background:var(--bad-bg)}
.dense th,.dense td{padding:6px 12px}
.ours td{font-weight:650;background:var(--plain-bg)}
details>summary{padding:12px 14px;cursor:pointer;font-size:13px;color:var(--soft)}
.breakdowns{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(520px,100%),1fr));gap:16px;align-items:start;margin:12px 0 0}.breakdowns th,.breakdowns td{padding:6px 9px}.breakdowns th:first-child{white-space:normal}.breakdowns .wide{grid-column:1/-1}
.choices{display:flex;flex-wrap:wrap;gap:8px;margin:20px 0 14px}
.choices input{position:absolute;opacity:0}
.choices label{padding:3px 12px;border:1px solid var(--line);border-radius:999px;font-size:13px;cursor:pointer;background:var(--paper)}
.choices input:checked+label{background:var(--accent);border-color:var(--accent);color:var(--page)}
.choices input:focus-visible+label{outline:2px solid var(--accent);outline-offset:2px}
.scenes{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(500px,100%),1fr));gap:16px}
.scene{padding:16px 18px}.scene .note{margin:2px 0 10px}.scene .pictures{grid-template-columns:1fr 1fr;gap:10px}
.scene-head{display:flex;justify-content:space-between;gap:12px;align-items:baseline}.cost{font-size:13px;color:var(--soft);font-variant-numeric:tabular-nums}
.scene-title{font-size:15px;font-weight:600;margin:8px 0 0;overflow-wrap:anywhere}
.wrong-badge{color:var(--bad);background:var(--bad-bg)}
.scene-legend{list-style:none;margin:0;padding:0;font-size:14px}.scene-legend li{display:flex;align-items:baseline;padding:2px 0;overflow-wrap:anywhere}
.scene-legend small{color:var(--soft)}.scene-legend .failing bdi{font-weight:600}
@media (max-width:560px){.up,.down{display:none}.facts{grid-template-columns:1fr 1fr}main{padding:24px 12px 40px}h1{font-size:24px}.sample{padding:14px}th,td{padding:7px 8px}}
@media print{body{background:#fff}.card{break-inside:avoid}}
`.trim();

export function htmlPage(title: string, content: readonly (Markup | null)[], rules = ''): string {
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title>
<style>
${raw(STYLE)}
${raw(rules)}
</style>
</head>
<body>
<main>
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`.toString();
}
