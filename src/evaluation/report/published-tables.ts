/**
 * Tables of a system's paper with our figures at the bottom, only for runs of all published images and expressions, asked and
 * decided as published, and only with figures of the protocol `reference`; otherwise a line says why, and no published
 * figure is shown.
 */
import type { MaskRules } from '../../systems/system-info.js';
import type { Dialogue } from '../../systems/system.js';
import { rulesOf } from '../benchmarks/benchmarks.js';
import { metricTitle } from '../figures.js';
import { isTable6 } from '../metrics/gres-score.js';
import { recordedRefusals } from '../records/record-figures.js';
import type { RecordedResult } from '../records/record-types.js';
import type { RecordFile } from '../records/record.js';
import { isAskedAsPublished } from './asked-forms.js';
import { type MeasuredSet, number, publishedSplit } from './measured-set.js';
import { type PublishedFigureTable, TABLES } from './published-figures.js';
import { SELF1E_TABLES } from './published-self1e.js';

export interface PublishedTable {
  readonly title: string;
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly isOurs: boolean }[];
}

const { 6: TABLE_6, ...OTHERS } = TABLES;

/** Tables by the rules that gave a run's figures; null where they are of no paper whose tables are here. */
const PAPERS: Readonly<Record<MaskRules, readonly PublishedFigureTable[] | null>> = {
  gsva: Object.values(OTHERS),
  lisa: null,
  'one-pass': SELF1E_TABLES,
};

export function publicationOf(
  file: Pick<RecordFile, 'header' | 'images'>,
  measured: MeasuredSet,
  results: readonly RecordedResult[],
  dialogue: Dialogue,
): { readonly tables: readonly PublishedTable[]; readonly whyNone: string | null } {
  const { dataset, split, question } = file.header;
  const own = PAPERS[rulesOf(file.header.benchmark)] ?? [];
  const candidates = isTable6(question) ? [TABLE_6] : own;
  const tables = candidates.filter(({ columns }) => columns.some((c) => c.dataset === dataset && c.split === split));
  const reason = obstacle(file, measured, tables, dialogue);
  if (reason !== null) return { tables: [], whyNone: `No table of the paper is shown: ${reason}.` };
  const ours = results.filter(({ protocol }) => protocol === 'reference');
  return { tables: tables.map((table) => printed(table, file.header, ours)), whyNone: null };
}

/** The first difference from a published evaluation; null without one. */
function obstacle(
  { header, images }: Pick<RecordFile, 'header' | 'images'>,
  { isDrawn, total }: MeasuredSet,
  tables: readonly PublishedFigureTable[],
  dialogue: Dialogue,
): string | null {
  const { dataset, split, benchmark, protocols, question, shard, rejectThreshold, minimumPixels } = header;
  const set = `${dataset} ${split}`;
  const rules = rulesOf(benchmark);
  if (PAPERS[rules] === null) return "LISA's rules gave the figures, and the tables are of GSVA's paper";
  if (isDrawn) return 'the images are drawn scenes of the embedded benchmark, not those of a published set';
  if (dataset === 'own') return 'the data is one’s own, not that of a published set';
  const published = publishedSplit(dataset, split);
  if (tables.length === 0 || published === null) return `it has no figures on ${set}`;
  const count = images.length;
  const refused = recordedRefusals(images);
  const strange = images.find(({ fileName }) => published.fileName?.test(fileName) === false);
  // However many protocols there are.
  const expressions = images.reduce((sum, { records }) => sum + new Set(records.map(({ index }) => index)).size, 0);
  // ReasonSeg and ADE20K prescribe their questions; Table 6 is of other questions.
  const isFree = ['gres', 'res', 'ref-zom', 'one-pass-gres', 'one-pass-res'].includes(benchmark);
  // Ignored regions are ReasonSeg's: target in GSVA's figures, left out of SELF1E's.
  const isLeftOut = rules === 'one-pass' && dataset === 'reason_seg';
  const reasons = [
    [shard.count > 1, `this is shard ${shard.index} of ${shard.count} alone`],
    [count < header.images, `the run is not finished (${number(count)} of ${number(header.images)} images)`],
    [count < total, `only the first ${number(count)} of ${number(total)} images were measured`],
    [
      count !== published.images,
      `${number(count)} images were measured, ${set} as published has ${number(published.images)}`,
    ],
    [
      refused.images + refused.expressions > 0,
      `${number(refused.images)} images and ${number(refused.expressions)} expressions were left out`,
    ],
    [new Set(images.map(({ imageId }) => imageId)).size !== count, 'an image occurs twice in the split'],
    [strange !== undefined, `${strange?.fileName} is not a name of the published images`],
    [
      expressions !== (published.expressions ?? expressions),
      `${number(expressions)} expressions were measured, ${set} as published has ${number(published.expressions ?? 0)}`,
    ],
    [
      !protocols.includes('reference'),
      `its figures are those of the protocol reference, this run has ${protocols.join(', ')} (eval --protocol reference)`,
    ],
    [rejectThreshold !== null, `a threshold of [REJ] was set (${rejectThreshold}); as published there is none`],
    [minimumPixels > 0, `masks of fewer than ${minimumPixels} pixels were read as [REJ]; as published none are`],
    [header.honourIgnore && !isLeftOut, 'ignored regions were left out; as published they belong to the target'],
    [!header.honourIgnore && isLeftOut, 'ignored regions were counted as target; as published they are left out'],
    [
      isFree && !isTable6(question) && !isAskedAsPublished(images, dialogue),
      'by the protocol reference it was asked in other words than those of the published evaluation',
    ],
  ] as const;
  return reasons.find(([isSo]) => isSo)?.[1] ?? null;
}

function printed(
  { title, note, columns, rows }: PublishedFigureTable,
  { dataset, split, question }: RecordFile['header'],
  ours: readonly RecordedResult[],
): PublishedTable {
  const datasets = new Set(columns.map((column) => column.dataset));
  const head = columns.map((column) =>
    [...(datasets.size > 1 ? [column.dataset] : []), column.split, metricTitle(column.figure)].join(' '),
  );
  const published = rows.map(([method, ...figures]) => ({ cells: [method, ...figures.map(percent)], isOurs: false }));
  const measured = ours.map((result) => {
    const figures = columns.map((column) => {
      const isHere = column.dataset === dataset && column.split === split;
      const value = isHere ? (result.figures[column.figure] ?? null) : null;
      return percent(value === null ? null : 100 * value);
    });
    const name = isTable6(question) ? `"${question}", ` : '';
    return { cells: [`this run, ${name}${result.protocol}`, ...figures], isOurs: true };
  });
  const notes = `${note} ${checkedNote(dataset, split)}`;
  return { title, note: notes, head: ['Method', ...head], rows: [...published, ...measured] };
}

/** The counts that were compared with the published split. */
function checkedNote(dataset: string, split: string): string {
  const { images, expressions } = publishedSplit(dataset, split) ?? { images: 0, expressions: null };
  const whole = `This run is of all ${number(images)} images of ${dataset} ${split}`;
  if (expressions !== null) return `${whole} and its ${number(expressions)} expressions.`;
  return `${whole}; how many expressions it has is not published and was not compared.`;
}

function percent(value: number | null): string {
  return value === null ? '–' : value.toFixed(2);
}
