/**
 * The paper's tables with our figures at the bottom, only for runs of all published images and expressions, asked and
 * decided as published, and only with figures of the protocol `reference`; otherwise a line says why, and no published
 * figure is shown.
 */
import { metricTitle } from '../figures.js';
import { recordedRefusals } from '../records/record-figures.js';
import type { ImageRecord, RecordedResult } from '../records/record-types.js';
import type { RecordFile } from '../records/record.js';
import { isAskedAsPublished } from './asked-forms.js';
import { type MeasuredSet, number, publishedSplit } from './measured-set.js';
import {
  type PublishedFigureTable,
  TABLE_1,
  TABLE_2,
  TABLE_3,
  TABLE_5,
  TABLE_6,
  TABLE_8,
  TABLE_9,
} from './published-figures.js';

export interface PublishedTable {
  readonly title: string;
  readonly note: string;
  readonly head: readonly string[];
  readonly rows: readonly { readonly cells: readonly string[]; readonly isOurs: boolean }[];
}

export interface Publication {
  readonly tables: readonly PublishedTable[];
  /** Null where there are tables. */
  readonly whyNone: string | null;
}

const TABLES: readonly PublishedFigureTable[] = [TABLE_1, TABLE_2, TABLE_3, TABLE_5, TABLE_8, TABLE_9];

export function publicationOf(
  file: Pick<RecordFile, 'header' | 'images'>,
  measured: MeasuredSet,
  results: readonly RecordedResult[],
): Publication {
  const { dataset, split, question } = file.header;
  const candidates = isTable6(question) ? [TABLE_6] : TABLES;
  const tables = candidates.filter(({ columns }) => columns.some((c) => c.dataset === dataset && c.split === split));
  const reason = obstacle(file, measured, tables);
  if (reason !== null) return { tables: [], whyNone: `No table of the paper is shown: ${reason}.` };
  const ours = results.filter(({ protocol }) => protocol === 'reference');
  return { tables: tables.map((table) => printed(table, file.header, ours)), whyNone: null };
}

function isTable6(question: string): boolean {
  return ['what', 'where', 'show', 'outline'].includes(question);
}

/** The first difference from a published evaluation; null without one. */
function obstacle(
  { header, images }: Pick<RecordFile, 'header' | 'images'>,
  measured: MeasuredSet,
  tables: readonly PublishedFigureTable[],
): string | null {
  const { dataset, split } = header;
  if (header.benchmark.startsWith('lisa-')) return "LISA's rules gave the figures, and the tables are of GSVA's paper";
  if (measured.isDrawn) return 'the images are drawn scenes of the embedded benchmark, not those of a published set';
  if (dataset === 'own') return 'the data is one’s own, not that of a published set';
  const published = publishedSplit(dataset, split);
  if (tables.length === 0 || published === null) return `it has no figures on ${dataset} ${split}`;
  return obstacleInData(header, images, measured, published) ?? obstacleInRules(header, images);
}

function obstacleInData(
  { shard, images: planned, dataset, split }: RecordFile['header'],
  images: readonly ImageRecord[],
  { total }: MeasuredSet,
  published: NonNullable<ReturnType<typeof publishedSplit>>,
): string | null {
  const whole = number(published.images);
  if (shard.count > 1) return `this is shard ${shard.index} of ${shard.count} alone`;
  if (images.length < planned) return `the run is not finished (${number(images.length)} of ${number(planned)} images)`;
  if (total !== null && images.length < total) {
    return `only the first ${number(images.length)} of ${number(total)} images were measured`;
  }
  const set = `${dataset} ${split}`;
  if (images.length !== published.images) {
    return `${number(images.length)} images were measured, ${set} as published has ${whole}`;
  }
  const refused = recordedRefusals(images);
  if (refused.images + refused.expressions > 0) {
    return `${number(refused.images)} images and ${number(refused.expressions)} expressions were left out`;
  }
  if (new Set(images.map(({ imageId }) => imageId)).size !== images.length) return 'an image occurs twice in the split';
  const strange = images.find(({ fileName }) => published.fileName?.test(fileName) === false);
  if (strange !== undefined) return `${strange.fileName} is not a name of the published images`;
  const expressions = images.reduce((sum, { records }) => sum + countOf(records), 0);
  if (published.expressions !== null && expressions !== published.expressions) {
    return `${number(expressions)} expressions were measured, ${set} as published has ${number(published.expressions)}`;
  }
  return null;
}

/** Expressions of an image, however many protocols there are. */
function countOf(records: ImageRecord['records']): number {
  return new Set(records.map(({ index }) => index)).size;
}

function obstacleInRules(
  { protocols, question, rejectThreshold, minimumPixels, honourIgnore, benchmark }: RecordFile['header'],
  images: readonly ImageRecord[],
): string | null {
  if (!protocols.includes('reference')) {
    return `its figures are those of the protocol reference, this run has ${protocols.join(', ')} (eval --protocol reference)`;
  }
  if (rejectThreshold !== null) return `a threshold of [REJ] was set (${rejectThreshold}); as published there is none`;
  if (minimumPixels > 0) return `masks of fewer than ${minimumPixels} pixels were read as [REJ]; as published none are`;
  if (honourIgnore) return 'ignored regions were left out; as published they belong to the target';
  // ReasonSeg and ADE20K prescribe their questions; Table 6 is of other questions.
  const isFree = benchmark === 'gres' || benchmark === 'res' || benchmark === 'ref-zom';
  if (isFree && !isTable6(question) && !isAskedAsPublished(images)) {
    return 'by the protocol reference it was asked in other words than those of the published evaluation';
  }
  return null;
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
  return {
    title,
    note: `${note} ${checkedNote(dataset, split)}`,
    head: ['Method', ...head],
    rows: [...published, ...measured],
  };
}

/** The counts that were compared with the published split. */
function checkedNote(dataset: string, split: string): string {
  const { images, expressions } = publishedSplit(dataset, split) ?? { images: 0, expressions: null };
  const counted =
    expressions === null
      ? 'how many expressions it has is not published and was not compared'
      : `and its ${number(expressions)} expressions`;
  return `This run is of all ${number(images)} images of ${dataset} ${split}${expressions === null ? '; ' : ' '}${counted}.`;
}

function percent(value: number | null): string {
  return value === null ? '–' : value.toFixed(2);
}
