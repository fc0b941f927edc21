/** report.html: one file that shows everything, loads nothing and runs nothing. */
import { renderAnalysis } from './html-analysis.js';
import { linePlotSvg } from './line-plot.js';
import { REPORT_STYLE } from './html-style.js';
import { chooseAll, chooseOne, viewPictures, viewRules } from './mask-view.js';
import { expressionColor, hexColor } from './palette.js';
import { metricTitle } from '../figures.js';
import {
  formatFigure,
  judgeSample,
  metricColumns,
  protocolNote,
  questionText,
  reportFacts,
  sampleHeading,
} from './report-data.js';
import type { ExpressionOutcome, MetricRow, ReportData, ReportSample } from './report-data.js';
import { escapeMarkup } from './text-escape.js';

/**
 * The page as text.
 * @param pictures the image of each of `data.samples` as a data URI
 * @param scenes that of each of `data.analysis.scenes`
 */
export function renderHtml(data: ReportData, pictures: readonly string[], scenes: readonly string[] = []): string {
  const title = escapeMarkup(data.title);
  const most = Math.max(
    0,
    ...data.samples.map(({ results }) => results.length),
    ...(data.analysis?.scenes ?? []).map(({ expressions }) => expressions.length),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title>
<style>
${REPORT_STYLE}
${viewRules(most)}
</style>
</head>
<body>
<main>
<h1>${title}</h1>
${notice(data)}
${facts(data)}
${data.notice === undefined ? tiles(data.rows) : ''}
${metricTable(data.rows)}
${data.analysis === undefined ? '' : renderAnalysis(data.analysis, scenes)}
${plots(data)}
${samples(data.samples, pictures)}
</main>
</body>
</html>
`;
}

/** Where it stands, no large figures do: they would be taken for a result. */
function notice({ notice: text }: ReportData): string {
  return text === undefined ? '' : `<p class="notice card" role="note">${escapeMarkup(text)}</p>`;
}

function facts(data: ReportData): string {
  const entries = reportFacts(data).map(
    ([name, value]) => `<div><dt>${escapeMarkup(name)}</dt><dd>${escapeMarkup(value)}</dd></div>`,
  );
  return `<dl class="facts card">\n${entries.join('\n')}\n</dl>`;
}

/** Each row with the row before it of the same protocol: what it is to be compared with. */
function withPrevious(rows: readonly MetricRow[]): { readonly row: MetricRow; readonly previous: MetricRow | null }[] {
  const latest = new Map<string, MetricRow>();
  return rows.map((row) => {
    const previous = latest.get(row.protocol) ?? null;
    latest.set(row.protocol, row);
    return { row, previous };
  });
}

/** Large figures of the last strict row (else of the last row) and where they came from. */
function tiles(rows: readonly MetricRow[]): string {
  const pairs = withPrevious(rows);
  const shown = pairs.findLast(({ row }) => row.protocol === 'strict') ?? pairs.at(-1);
  if (shown === undefined) return '';
  const { row, previous } = shown;
  const cards = Object.entries(row.metrics).map(([name, value]) => {
    const before = previous?.metrics[name];
    const from =
      previous === null ? '' : `<div class="from">${escapeMarkup(previous.stage)}: ${formatFigure(before)}</div>`;
    const width = value === null ? 0 : 100 * Math.min(1, Math.max(0, value));
    return (
      `<div class="tile card"><div class="name">${escapeMarkup(metricTitle(name))}</div>` +
      `<div class="value">${formatFigure(value)}</div>${from}` +
      `<div class="bar"><i style="width:${width.toFixed(1)}%"></i></div></div>`
    );
  });
  const caption = `<p class="note">${escapeMarkup(`${row.stage}, protocol ${row.protocol}`)}</p>`;
  return `${caption}\n<div class="tiles">\n${cards.join('\n')}\n</div>`;
}

function metricTable(rows: readonly MetricRow[]): string {
  if (rows.length === 0) return '';
  const columns = metricColumns(rows);
  const protocols = [...new Set(rows.map((row) => row.protocol))];
  const pairs = withPrevious(rows);
  const body = protocols.flatMap((protocol) =>
    pairs
      .filter(({ row }) => row.protocol === protocol)
      .map(({ row, previous }, index) => {
        const cells = columns.map((name) => {
          const value = row.metrics[name];
          return `<td class="figure">${formatFigure(value)}${change(value, previous?.metrics[name])}</td>`;
        });
        const classes = [index === 0 ? 'first' : '', previous === null ? '' : 'after'].filter((name) => name !== '');
        return (
          `<tr class="${classes.join(' ')}"><td>${index === 0 ? escapeMarkup(protocol) : ''}</td>` +
          `<td>${escapeMarkup(row.stage)}</td>${cells.join('')}</tr>`
        );
      }),
  );
  const heads = columns.map((name) => `<th class="figure" scope="col">${escapeMarkup(metricTitle(name))}</th>`);
  return `<h2>Evaluation</h2>
<div class="card scroll"><table>
<thead><tr><th scope="col">Protocol</th><th scope="col">Measured</th>${heads.join('')}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>
<p class="note">${escapeMarkup(protocolNote(rows))}</p>`;
}

function change(value: number | null | undefined, before: number | null | undefined): string {
  if (typeof value !== 'number' || typeof before !== 'number') return '';
  const difference = value - before;
  if (Math.abs(difference) < 0.0005) return '';
  const sign = difference > 0 ? '+' : '−';
  return `<span class="${difference > 0 ? 'up' : 'down'}">${sign}${Math.abs(difference).toFixed(3)}</span>`;
}

function plots(data: ReportData): string {
  if (data.plots.length === 0) return '';
  const cards = data.plots.map((plot) => `<div class="card">${linePlotSvg(plot)}</div>`);
  return `<h2>Training</h2>\n<div class="plots">\n${cards.join('\n')}\n</div>`;
}

function samples(all: readonly ReportSample[], pictures: readonly string[]): string {
  if (all.length === 0) return '';
  const cards = all.map((sample, index) => sampleCard(sample, `sample-${index + 1}`, pictures[index] ?? ''));
  return `<h2>Samples</h2>
<p class="note">Choose an expression to see its masks alone: the true one and the predicted one.</p>
${cards.join('\n')}`;
}

function sampleCard(sample: ReportSample, id: string, image: string): string {
  const outcomes = judgeSample(sample);
  const pictures = viewPictures({
    id,
    height: sample.image.height,
    width: sample.image.width,
    image,
    hasTruth: sample.targets.length > 0,
    showsImage: true,
    backdrop: 'pale',
    expressions: outcomes.map(({ result, words }, index) => ({
      truth: sample.targets[index]?.mask ?? null,
      prediction: result.mask,
      without: result.status === 'segmented' ? 'a mask of 0 pixels' : words,
    })),
  });
  return `<article class="sample view card">
<h3 class="question"><bdi>${escapeMarkup(sampleHeading(sample))}</bdi></h3>
${pictures}
<div class="scroll"><table class="legend">
<thead><tr><th scope="col">Expression</th><th scope="col">Answer</th><th class="figure" scope="col">IoU</th><th class="figure" scope="col">P(reject)</th></tr></thead>
<tbody>
${outcomes.length < 2 ? '' : `<tr><td class="text" colspan="4">${chooseAll(id)}</td></tr>`}
${outcomes.map((outcome, index) => legendRow(outcome, index, outcomes.length < 2 ? null : id)).join('\n')}
</tbody></table></div>
<details class="said"><summary>Question and answer</summary>
<div class="mono"><bdi>${escapeMarkup(questionText(sample))}</bdi></div>
<div class="mono"><bdi>${escapeMarkup(sample.answer.trim())}</bdi></div>
</details>
</article>`;
}

const VERDICT_MARK = { right: '✓ ', inexact: '≈ ', wrong: '✗ ' } as const;

/** @param view id of the pictures in which the expression is chosen; null where it is the only one */
function legendRow({ result, verdict, iou, words }: ExpressionOutcome, index: number, view: string | null): string {
  const drawn = result.status === 'segmented';
  const mark = verdict === null ? '' : VERDICT_MARK[verdict];
  const swatch = `<span class="swatch${drawn ? '' : ' hollow'}" style="color:${hexColor(expressionColor(index))}"></span>`;
  const label = `${swatch}<bdi>${escapeMarkup(result.expression)}</bdi>`;
  return (
    `<tr class="${drawn ? 'drawn' : 'rejected'} ${verdict ?? 'unjudged'}">` +
    `<td class="text">${view === null ? label : chooseOne(view, index, label)}</td>` +
    `<td><span class="badge">${mark}${escapeMarkup(words)}</span></td>` +
    `<td class="figure">${formatFigure(iou)}</td><td class="figure">${formatFigure(result.rejectProbability)}</td></tr>`
  );
}
