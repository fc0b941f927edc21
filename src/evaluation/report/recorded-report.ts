/** The report of recorded results, for `eval --report` and `report write`. */
import { decodeMask, rleFromString } from '../../data/masks/coco-mask.js';
import type { EvaluatedDataset } from '../../data/refer/refer-dataset.js';
import { UserError } from '../../errors.js';
import { readImage } from '../../io/image/image-file.js';
import type { MaskRules } from '../../systems/system-info.js';
import { systemNamed } from '../../systems/index.js';
import type { BinaryMask, ReferringTarget, SegmentResult } from '../../types.js';
import { rulesOf } from '../benchmarks/benchmarks.js';
import type { Failure } from '../breakdown.js';
import type { GresProtocol } from '../metrics/gres-score.js';
import { boxOfMask } from '../metrics/mask-overlap.js';
import * as recorded from '../records/record-figures.js';
import type { RecordFile } from '../records/record.js';
import type { ExpressionRecord, ImageRecord, Shard } from '../records/record-types.js';
import { analyse, type FailureScene, type SceneExpression, worstOfEachKind } from './analysis-data.js';
import { askedForms } from './asked-forms.js';
import { measuredSet, measuredWords, type MeasuredSet } from './measured-set.js';
import type { ReportSample } from './report-data.js';
import { writeReport } from './write-report.js';

/** The images of a run of all shards, in words; null for a shard alone. */
export function measuredOn(
  { shard, data, ...set }: Pick<MeasuredSet, 'dataset' | 'split' | 'data'> & { readonly shard: Shard },
  opened: EvaluatedDataset,
  images: number,
): string | null {
  return shard.count > 1 ? null : measuredWords(measuredSet(set, images, opened.images, data));
}

/** Systems by the rules of their published evaluations. */
const SYSTEM_OF: Readonly<Record<MaskRules, { readonly name: string; readonly title: string }>> = {
  gsva: { name: 'gsva', title: 'GSVA' },
  lisa: { name: 'lisa', title: 'LISA' },
  'one-pass': { name: 'self1e', title: 'SELF1E' },
};

const SAMPLES = 12;
const SCENES_OF_EACH_KIND = 4;

/**
 * Writes report.html, report.md and report.json.
 * @param data folder of the dataset, for the reader
 * @returns path of the page
 */
export async function writeRecordedReport(
  dir: string,
  file: Pick<RecordFile, 'header' | 'images'>,
  dataset: EvaluatedDataset,
  data: string,
): Promise<string> {
  const { header, images } = file;
  const { protocols, honourIgnore } = header;
  const { name, title } = SYSTEM_OF[rulesOf(header.benchmark)];
  const leftOut = recorded.refusedText(recorded.recordedRefusals(images));
  const strange = recorded.faultsText(recorded.recordedFaults(images));
  const measured = measuredSet(header, images.length, dataset.images, data);
  const system = await systemNamed(name, 'Writing the report');
  const dialogue = system.dialogue(null, {});
  const analysis = analyse(file, measured, dialogue);
  const worst = worstOfEachKind(analysis.failures, SCENES_OF_EACH_KIND);
  await writeReport(dir, {
    title: `${title} on ${measuredWords(measured)}`,
    model: header.model,
    config: `SHA-256 ${header.configDigest.slice(0, 16)}`,
    checkpoint: `${header.checkpoint} (SHA-256 ${header.weightsDigest.slice(0, 16)})`,
    engine: header.engine,
    date: recorded.recordedEnd(file),
    seconds: recorded.recordedSeconds(images),
    details: [
      ['Data', data],
      ['Measured', measuredWords(measured)],
      ['Protocols', protocols.join(', ')],
      ...askedForms(file, dialogue).map(([protocol, sentence]) => [`Asked, ${protocol}`, sentence] as const),
      ...(!system.can.rejects ? [] : [['[REJ]', rejection(header)] as const]),
      ...(honourIgnore ? [['Ignored regions', 'left out'] as const] : []),
      ...(leftOut === null ? [] : [['Left out', leftOut] as const]),
      ...(strange === null ? [] : [['Generate', strange] as const]),
    ],
    rows: recorded
      .recordedResults(file)
      .map((result) => ({ stage: 'model', protocol: result.protocol, metrics: result.figures })),
    plots: [],
    samples: await recordedSamples(dataset, images, protocols[0] as GresProtocol, SAMPLES),
    analysis: { ...analysis, scenes: await failureScenes(dataset, images, worst) },
  });
  return `${dir}/report.html`;
}

function rejection({ rejectThreshold, minimumPixels }: RecordFile['header']): string {
  return (
    (rejectThreshold === null ? 'where it is the more probable token' : `from probability ${rejectThreshold} on`) +
    (minimumPixels === 0 ? '' : `, and for masks of fewer than ${minimumPixels} pixels`)
  );
}

/** More expressions in one picture would be indistinct. */
const MOST_IN_SCENE = 4;

/** `count` images, evenly spread, with question and answer by a protocol. */
export async function recordedSamples(
  dataset: EvaluatedDataset,
  images: readonly ImageRecord[],
  protocol: GresProtocol,
  count: number,
): Promise<ReportSample[]> {
  const drawable = images.filter(({ records }) => records.length > 0);
  const wanted = Math.min(count, drawable.length);
  const chosen = Array.from(
    { length: wanted },
    (_, i) => drawable[Math.ceil(((i + 1) * drawable.length) / wanted) - 1],
  );
  const samples: ReportSample[] = [];
  for (const image of chosen as ImageRecord[]) {
    const { entry, targets } = find(dataset, image);
    const replies = image.replies.filter((each) => each.protocol === protocol);
    const records = recorded.recordsOf([image], protocol);
    samples.push({
      image: await readImage(entry.path),
      question: replies.map(({ question }) => question).join('\n'),
      answer: replies.map(({ answer }) => answer).join('\n'),
      results: records.map(resultOf),
      targets: records.map(({ index }) => targets[index] as ReferringTarget),
    });
  }
  return samples;
}

/** The failures with their images; other expressions of an image are shown where they lie elsewhere. */
export async function failureScenes(
  dataset: EvaluatedDataset,
  images: readonly ImageRecord[],
  failures: readonly Failure[],
): Promise<FailureScene[]> {
  const scenes: FailureScene[] = [];
  const byId = new Map(images.map((image) => [image.imageId, image]));
  for (const failure of failures) {
    const image = byId.get(failure.record.imageId) as ImageRecord;
    const { entry, targets } = find(dataset, image);
    const all = recorded.recordsOf([image], failure.record.protocol).map((record): SceneExpression => {
      return { record, target: (targets[record.index] as ReferringTarget).mask, prediction: maskOf(record) };
    });
    scenes.push({ failure, image: await readImage(entry.path), expressions: together(all, failure.record) });
  }
  return scenes;
}

function together(all: readonly SceneExpression[], { index, other, targetIsEmpty }: ExpressionRecord) {
  const at = (place: number): SceneExpression | undefined => all.find(({ record }) => record.index === place);
  const shown = [at(index) as SceneExpression];
  const merged = other === null ? undefined : at(other.expression);
  if (merged !== undefined) shown.push(merged);
  for (const candidate of all) {
    // On a darkened image nothing but the mistake is of interest.
    if (targetIsEmpty || shown.length === MOST_IN_SCENE) break;
    const isElsewhere = shown.every(({ target }) => !overlap(target, candidate.target));
    if (!candidate.record.targetIsEmpty && isElsewhere) shown.push(candidate);
  }
  return shown;
}

function overlap(a: BinaryMask, b: BinaryMask): boolean {
  return a.data.some((value, i) => value !== 0 && b.data[i] !== 0);
}

/** An image of the records in the dataset, and its targets. @throws UserError where the dataset has another one */
function find(dataset: EvaluatedDataset, { imageId, fileName, image, records }: ImageRecord) {
  const entry = dataset.images[image];
  const targets = entry === undefined ? [] : dataset.targets(entry);
  const isSame = entry?.imageId === imageId && records.every((r) => targets[r.index]?.expression === r.expression);
  if (entry !== undefined && isSame) return { entry, targets };
  throw new UserError(
    `Drawing the report: image ${image} of the records is ${fileName}, and the dataset has another one, or other ` +
      'expressions, in its place. Name the data that was evaluated.',
  );
}

function resultOf(record: ExpressionRecord): SegmentResult {
  const { expression, answer, predictedArea: area, rejectProbability, score, height, width } = record;
  const nothing = { mask: null, box: null, area: 0, score: 0 } as const;
  if (answer === 'none') return { expression, status: 'no-seg-token', ...nothing, rejectProbability: null };
  if (answer === 'absent') return { expression, status: 'rejected', ...nothing, rejectProbability };
  const mask = maskOf(record) ?? { data: new Uint8Array(height * width), height, width };
  const box = boxOfMask(mask);
  if (box === null) return { expression, status: 'empty-mask', ...nothing, mask, rejectProbability };
  return { expression, status: 'segmented', mask, box, area, score, rejectProbability };
}

function maskOf({ mask, height, width }: ExpressionRecord): BinaryMask | null {
  return mask === null ? null : decodeMask(rleFromString(mask, height, width));
}
