/** report.html: one file that loads nothing and runs nothing. */
import { htmlPage } from './html-style.js';
import { renderAnalysis } from './html-analysis.js';
import { choice, viewPictures, viewRules } from './mask-view.js';
import { type Markup, markup, type Piece, tableHtml } from './markup.js';
import { expressionColor } from './overlay.js';
import { formatFigure, metricTitle } from '../figures.js';
import * as report from './report-data.js';
import type { ExpressionOutcome, MetricRow, ReportData, ReportSample } from './report-data.js';
import { plotCards } from './line-plot.js';

/**
 * The page as text.
 * @param pictures the image of each of `data.samples` as a data URI
 * @param scenes that of each of `data.analysis.scenes`
 */
export function renderHtml(data: ReportData, pictures: readonly string[], scenes: readonly string[] = []): string {
  const { title, notice, rows, plots, analysis } = data;
  const most = Math.max(
    0,
    ...data.samples.map(({ results }) => results.length),
    ...(analysis?.scenes ?? []).map(({ expressions }) => expressions.length),
  );
  const facts = report.reportFacts(data).map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`);
  const content = [
    notice === undefined ? null : markup`<p class="notice card" role="note">${notice}</p>`,
    markup`<dl class="facts card">\n${facts}\n</dl>`,
    // Below a notice large figures would be taken for a result.
    notice === undefined ? tiles(rows) : null,
    metricTable(rows),
    analysis === undefined ? null : renderAnalysis(analysis, scenes),
    plots.length === 0 ? null : markup`<h2>Training</h2>\n${plotCards(plots)}`,
    samples(data.samples, pictures),
  ];
  return htmlPage(title, content, viewRules(most));
}

function withPrevious(rows: readonly MetricRow[]): { readonly row: MetricRow; readonly previous: MetricRow | null }[] {
  const latest = new Map<string, MetricRow>();
  return rows.map((row) => {
    const previous = latest.get(row.protocol) ?? null;
    latest.set(row.protocol, row);
    return { row, previous };
  });
}

/** Large figures of the last strict row (else of the last row) and their origin. */
function tiles(rows: readonly MetricRow[]): Markup | null {
  const pairs = withPrevious(rows);
  const shown = pairs.findLast(({ row }) => row.protocol === 'strict') ?? pairs.at(-1);
  if (shown === undefined) return null;
  const { row, previous } = shown;
  const cards = Object.entries(row.metrics).map(([name, value]) => {
    const before = previous?.metrics[name];
    const from = previous === null ? null : markup`<div class="from">${previous.stage}: ${formatFigure(before)}</div>`;
    const width = value === null ? 0 : 100 * Math.min(1, Math.max(0, value));
    return markup`<div class="tile card"><div class="name">${metricTitle(name)}</div>
<div class="value">${formatFigure(value)}</div>${from}
<div class="bar"><i style="width:${width.toFixed(1)}%"></i></div></div>`;
  });
  return markup`<p class="note">${row.stage}, protocol ${row.protocol}</p>
<div class="tiles">\n${cards}\n</div>`;
}

function metricTable(rows: readonly MetricRow[]): Markup | null {
  if (rows.length === 0) return null;
  const columns = report.metricColumns(rows);
  const protocols = [...new Set(rows.map((row) => row.protocol))];
  const pairs = withPrevious(rows);
  const lines = protocols.flatMap((protocol) =>
    pairs
      .filter(({ row }) => row.protocol === protocol)
      .map(({ row, previous }, index) => ({
        cells: [
          index === 0 ? protocol : '',
          row.stage,
          ...columns.map((name) => {
            const value = row.metrics[name];
            return [formatFigure(value), change(value, previous?.metrics[name])];
          }),
        ],
        className: `${index === 0 ? 'first ' : ''}${previous === null ? '' : 'after'}`,
      })),
  );
  const table = {
    head: ['Protocol', 'Measured', ...columns.map(metricTitle)],
    rows: lines.map(({ cells }) => cells),
    rowClasses: lines.map(({ className }) => className.trim()),
    left: 2,
  };
  return markup`<h2>Evaluation</h2>
<div class="card">${tableHtml(table, '')}</div>
<p class="note">${report.protocolNote(rows)}</p>`;
}

function change(value: number | null | undefined, before: number | null | undefined): Markup | null {
  if (typeof value !== 'number' || typeof before !== 'number') return null;
  const difference = value - before;
  if (Math.abs(difference) < 0.0005) return null;
  const [className, sign] = difference > 0 ? ['up', '+'] : ['down', '−'];
  return markup`<span class="${className}">${sign}${Math.abs(difference).toFixed(3)}</span>`;
}

function samples(all: readonly ReportSample[], pictures: readonly string[]): Markup | null {
  if (all.length === 0) return null;
  return markup`<h2>Samples</h2>
<p class="note">Choose an expression to see its masks alone: the true one and the predicted one.</p>
${all.map((sample, index) => sampleCard(sample, `sample-${index + 1}`, pictures[index] ?? ''))}`;
}

function sampleCard(sample: ReportSample, id: string, image: string): Markup {
  const outcomes = report.judgeSample(sample);
  const isAlone = outcomes.length < 2;
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
  const all = isAlone ? [] : [[choice(id, 'all', 'all together'), '', '', '']];
  const table = {
    head: ['Expression', 'Answer', 'IoU', 'P(reject)'],
    rows: [...all, ...outcomes.map((outcome, index) => legendRow(outcome, index, isAlone ? null : id))],
    rowClasses: [
      ...all.map(() => ''),
      ...outcomes.map(({ result, verdict }) => {
        return `${result.status === 'segmented' ? 'drawn' : 'rejected'} ${verdict ?? 'unjudged'}`;
      }),
    ],
    left: 2,
  };
  return markup`<article class="sample view card">
<h3 class="question"><bdi>${report.sampleHeading(sample)}</bdi></h3>
${pictures}
${tableHtml(table, 'legend')}
<details class="said"><summary>Question and answer</summary>
<div class="mono"><bdi>${report.questionText(sample)}</bdi></div>
<div class="mono"><bdi>${sample.answer.trim()}</bdi></div>
</details>
</article>`;
}

const VERDICT_MARK = { right: '✓ ', inexact: '≈ ', wrong: '✗ ' } as const;

/** @param view id of the pictures in which the expression is chosen; null where it is the only one */
function legendRow({ result, verdict, iou, words }: ExpressionOutcome, index: number, view: string | null): Piece[] {
  const hollow = result.status === 'segmented' ? '' : ' hollow';
  const color = expressionColor(index);
  const label = markup`<span class="swatch${hollow}" style="color:${color}"></span><bdi>${result.expression}</bdi>`;
  return [
    view === null ? label : choice(view, index, label),
    markup`<span class="badge">${verdict === null ? '' : VERDICT_MARK[verdict]}${words}</span>`,
    formatFigure(iou),
    formatFigure(result.rejectProbability),
  ];
}
