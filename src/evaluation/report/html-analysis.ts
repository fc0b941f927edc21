/** The analysis in report.html: breakdown, rejection, failures. */
import type { FailureKind } from '../breakdown.js';
import { calibrationPlots, type FailureScene, type ReportAnalysis, type SceneExpression } from './analysis-data.js';
import * as words from './analysis-data.js';
import { type Markup, markup, raw, tableHtml } from './markup.js';
import { choice, viewPictures } from './mask-view.js';
import { expressionColor } from './overlay.js';
import { plotCards } from './line-plot.js';

/** @param pictures the image of each of `analysis.scenes` as a data URI */
export function renderAnalysis(analysis: ReportAnalysis, pictures: readonly string[]): Markup {
  return markup`${[published(analysis), breakdowns(analysis), rejection(analysis), failures(analysis, pictures)]}`;
}

function published({ published: tables, whyNoTable }: ReportAnalysis): Markup | null {
  if (tables.length === 0) return whyNoTable === null ? null : markup`<p class="note">${whyNoTable}</p>`;
  const cards = tables.map((table) => {
    return markup`<details class="card" open><summary>${table.title} of the paper, in percent</summary>
${tableHtml(words.publishedTable(table))}</details>
<p class="note">${table.note}</p>`;
  });
  return markup`<h2>Next to the paper</h2>\n${cards}`;
}

function breakdowns(analysis: ReportAnalysis): Markup {
  const cards = words.breakdownTables(analysis).map((table, i) => {
    const wide = i < analysis.breakdowns.length ? '' : ' wide';
    return markup`<div class="card${wide}">${tableHtml(table)}</div>`;
  });
  return markup`<h2>Breakdown</h2>
<p class="note">Protocol ${analysis.protocol}. ${words.DASH_NOTE}</p>
<div class="breakdowns">\n${cards}\n</div>`;
}

function rejection({ calibration }: ReportAnalysis): Markup | null {
  if (calibration === null) return null;
  return markup`<h2>Rejection</h2>
<p>${words.calibrationSentence(calibration)}</p>
${plotCards(calibrationPlots(calibration))}
<p class="note">${words.CALIBRATION_NOTE}</p>`;
}

/** Filters by radio buttons and CSS alone: the page runs nothing. */
function failures(analysis: ReportAnalysis, pictures: readonly string[]): Markup | null {
  const { failureKinds, scenes, protocol } = analysis;
  if (failureKinds.length === 0) return null;
  const kinds = failureKinds.map(({ kind }) => kind).filter((kind) => scenes.some((s) => s.failure.kind === kind));
  const choices = (['all', ...kinds] as const).map((kind, i) => {
    const id = classOf(kind);
    const checked = i === 0 ? raw(' checked') : null;
    return markup`<input type="radio" name="kind" id="${id}"${checked}><label for="${id}">${kind}</label>`;
  });
  const hiding = kinds.map(
    (kind) => markup`.browser:has(#${classOf(kind)}:checked) .scene:not(.${classOf(kind)}){display:none}`,
  );
  const cards = scenes.map((scene, i) => sceneCard(scene, `failure-${i + 1}`, pictures[i] ?? ''));
  const browser = markup`<style>${hiding}</style>
<div class="browser">
<div class="choices">${choices}</div>
<div class="scenes">\n${cards}\n</div>
</div>`;
  return markup`<h2>Failures</h2>
<div class="card">${tableHtml(words.failureTable(analysis))}</div>
<p class="note">Protocol ${protocol}. ${words.FAILURE_NOTE}</p>
${cards.length === 0 ? null : browser}`;
}

function classOf(kind: FailureKind | 'all'): string {
  return `kind-${kind.replaceAll(' ', '-')}`;
}

function sceneCard({ failure, image, expressions }: FailureScene, id: string, uri: string): Markup {
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
      without: words.ANSWER_WORDS[answer],
    })),
  });
  const isAlone = expressions.length < 2;
  return markup`<article class="scene view card ${classOf(kind)}">
<div class="scene-head"><span class="badge wrong-badge">${kind}</span><span class="cost">costs ${cost.toFixed(5)} gIoU</span></div>
<h3 class="scene-title"><bdi>${record.expression}</bdi></h3>
<div class="note mono">${record.fileName}</div>
${pictures}
<ul class="scene-legend">
${isAlone ? null : markup`<li>${choice(id, 'all', 'all together')}</li>`}
${expressions.map((each, index) => legendEntry(each, index, isAlone ? null : id))}
</ul>
</article>`;
}

/** @param view id of the pictures in which the expression is chosen; null where it is the only one */
function legendEntry({ record }: SceneExpression, index: number, view: string | null): Markup {
  const color = expressionColor(index);
  const hollow = record.answer === 'found' ? '' : ' hollow';
  const label = markup`<i class="swatch${hollow}" style="color:${color}"></i>
<span><bdi>${record.expression}</bdi> <small>${words.answerWords(record)}</small></span>`;
  const failing = index === 0 ? raw(' class="failing"') : null;
  return markup`<li${failing}>${view === null ? label : choice(view, index, label)}</li>`;
}
