/** The part of report.html that says where a run is good, how well it rejects and what went wrong. */
import type { Breakdown, ImageFigures } from '../breakdown.js';
import { FAILURE_MEANING, type FailureKind } from '../failures.js';
import type { Result } from '../records/record-figures.js';
import type { FailureScene, ReportAnalysis, SceneExpression } from './analysis-data.js';
import { calibrationPlots } from './analysis-data.js';
import {
  CALIBRATION_NOTE,
  DASH_NOTE,
  FAILURE_NOTE,
  ANSWER_WORDS,
  SHOWN_IMAGES,
  answerWords,
  calibrationSentence,
  figureColumns,
} from './analysis-words.js';
import { linePlotSvg } from './line-plot.js';
import { chooseAll, chooseOne, viewPictures } from './mask-view.js';
import { expressionColor, hexColor } from './palette.js';
import type { PublishedTable } from './published-tables.js';
import { formatFigure } from './report-data.js';
import { escapeMarkup } from './text-escape.js';

/** @param pictures the image of each of `analysis.scenes` as a data URI */
export function renderAnalysis(analysis: ReportAnalysis, pictures: readonly string[]): string {
  return [published(analysis), breakdowns(analysis), rejection(analysis), failures(analysis, pictures)]
    .filter((section) => section !== '')
    .join('\n');
}

function published({ published: tables, whyNoTable }: ReportAnalysis): string {
  if (tables.length > 0) return ['<h2>Next to the paper</h2>', ...tables.map(publishedTable)].join('\n');
  return whyNoTable === null ? '' : `<p class="note">${escapeMarkup(whyNoTable)}</p>`;
}

function publishedTable({ title, head, rows: lines, note }: PublishedTable): string {
  const heads = head.map((name, i) => `<th scope="col"${i === 0 ? '' : ' class="figure"'}>${escapeMarkup(name)}</th>`);
  const rows = lines.map(({ cells, isOurs }) => {
    const [method = '', ...figures] = cells;
    const texts = figures.map((cell) => `<td class="figure">${cell}</td>`);
    return `<tr${isOurs ? ' class="ours"' : ''}><td>${escapeMarkup(method)}</td>${texts.join('')}</tr>`;
  });
  return `<details class="card scroll" open><summary>${escapeMarkup(title)} of the paper, in percent</summary><table class="dense">
<thead><tr>${heads.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></details>
<p class="note">${escapeMarkup(note)}</p>`;
}

function breakdowns({ breakdowns: all, images, protocol }: ReportAnalysis): string {
  const shown = images.filter(({ result }) => (result.gIoU ?? 1) < 1).slice(0, SHOWN_IMAGES);
  const cards = [...all.map(breakdownTable), ...(shown.length === 0 ? [] : [imageTable(shown)])];
  return `<h2>Breakdown</h2>
<p class="note">${escapeMarkup(`Protocol ${protocol}. ${DASH_NOTE}`)}</p>
<div class="breakdowns">
${cards.join('\n')}
</div>`;
}

function breakdownTable({ title, groups }: Breakdown): string {
  return figureTable(
    title,
    groups.map(({ name, result }) => [name, result]),
  );
}

function imageTable(images: readonly ImageFigures[]): string {
  return figureTable(
    'The worst images',
    images.map(({ fileName, result }) => [fileName, result]),
    ' wide',
  );
}

function figureTable(title: string, rows: readonly (readonly [string, Result])[], wide = ''): string {
  const columns = figureColumns(rows.map(([, result]) => result));
  const heads = columns.map(({ name }) => `<th class="figure" scope="col">${name}</th>`).join('');
  const body = rows.map(([name, result]) => {
    const cells = columns.map(({ cell }) => `<td class="figure">${cell(result)}</td>`);
    return `<tr><td>${escapeMarkup(name)}</td>${cells.join('')}</tr>`;
  });
  return `<div class="card scroll${wide}"><table class="dense"><thead><tr><th scope="col">${escapeMarkup(title)}</th>${heads}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>`;
}

function rejection({ calibration }: ReportAnalysis): string {
  if (calibration === null) return '';
  const plots = calibrationPlots(calibration).map((plot) => `<div class="card">${linePlotSvg(plot)}</div>`);
  return `<h2>Rejection</h2>
<p>${escapeMarkup(calibrationSentence(calibration))}</p>
<div class="plots">
${plots.join('\n')}
</div>
<p class="note">${escapeMarkup(CALIBRATION_NOTE)}</p>`;
}

/** Filters by radio buttons and CSS alone: the page runs nothing. */
function failures({ failureKinds, scenes, protocol }: ReportAnalysis, pictures: readonly string[]): string {
  if (failureKinds.length === 0) return '';
  const rows = failureKinds.map(
    ({ kind, count, cost }) =>
      `<tr><td>${kind}</td><td>${FAILURE_MEANING[kind]}</td><td class="figure">${count}</td>` +
      `<td class="figure">${formatFigure(cost)}</td></tr>`,
  );
  const kinds = failureKinds.map(({ kind }) => kind).filter((kind) => scenes.some((s) => s.failure.kind === kind));
  const choices = (['all', ...kinds] as const).map((kind, i) => {
    const id = classOf(kind);
    const checked = i === 0 ? ' checked' : '';
    return `<input type="radio" name="kind" id="${id}"${checked}><label for="${id}">${kind}</label>`;
  });
  const hiding = kinds.map(
    (kind) => `.browser:has(#${classOf(kind)}:checked) .scene:not(.${classOf(kind)}){display:none}`,
  );
  const cards = scenes.map((scene, i) => sceneCard(scene, `failure-${i + 1}`, pictures[i] ?? ''));
  return `<h2>Failures</h2>
<div class="card scroll"><table class="dense">
<thead><tr><th scope="col">Kind</th><th scope="col">What it is</th><th class="figure" scope="col">Expressions</th><th class="figure" scope="col">Cost</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody></table></div>
<p class="note">${escapeMarkup(`Protocol ${protocol}. ${FAILURE_NOTE}`)}</p>
${
  cards.length === 0
    ? ''
    : `<style>${hiding.join('\n')}</style>
<div class="browser">
<div class="choices">${choices.join('')}</div>
<div class="scenes">
${cards.join('\n')}
</div>
</div>`
}`;
}

function classOf(kind: FailureKind | 'all'): string {
  return `kind-${kind.replaceAll(' ', '-')}`;
}

function sceneCard({ failure, image, expressions }: FailureScene, id: string, uri: string): string {
  const { kind, cost, record } = failure;
  const pictures = viewPictures({
    id,
    height: image.height,
    width: image.width,
    image: uri,
    hasTruth: true,
    showsImage: false,
    backdrop: record.targetIsEmpty ? 'dark' : 'natural',
    expressions: expressions.map(({ target, prediction, record: { answer } }) => ({
      truth: target,
      prediction: answer === 'found' ? prediction : null,
      without: ANSWER_WORDS[answer],
    })),
  });
  const isAlone = expressions.length < 2;
  const entries = expressions.map((each, index) => legendEntry(each, index, isAlone ? null : id));
  return `<article class="scene view card ${classOf(kind)}">
<div class="scene-head"><span class="badge wrong-badge">${kind}</span><span class="cost">costs ${cost.toFixed(5)} gIoU</span></div>
<h3 class="scene-title"><bdi>${escapeMarkup(record.expression)}</bdi></h3>
<div class="note mono">${escapeMarkup(record.fileName)}</div>
${pictures}
<ul class="scene-legend">
${[...(isAlone ? [] : [`<li>${chooseAll(id)}</li>`]), ...entries].join('\n')}
</ul>
</article>`;
}

/** @param view id of the pictures in which the expression is chosen; null where it is the only one */
function legendEntry({ record }: SceneExpression, index: number, view: string | null): string {
  const color = hexColor(expressionColor(index));
  const hollow = record.answer === 'found' ? '' : ' hollow';
  const label =
    `<i class="swatch${hollow}" style="color:${color}"></i>` +
    `<span><bdi>${escapeMarkup(record.expression)}</bdi> <small>${escapeMarkup(answerWords(record))}</small></span>`;
  const classes = index === 0 ? ' class="failing"' : '';
  return `<li${classes}>${view === null ? label : chooseOne(view, index, label)}</li>`;
}
