/** The report of recorded results, for `eval --report` and `report write`. */
import { analyse, worstOfEachKind } from './analysis-data.js';
import { askedForms, formSentence } from './asked-forms.js';
import { isDrawnSet, measuredSet, measuredWords, type MeasuredSet } from './measured-set.js';
import { failureScenes, recordedSamples, type PictureSource } from './recorded-pictures.js';
import { writeReport } from './write-report.js';
import {
  faultsText,
  recordedEnd,
  recordedFaults,
  recordedRefusals,
  recordedResults,
  recordedSeconds,
  refusedText,
} from '../records/record-figures.js';
import type { GresProtocol } from '../metrics/gres-score.js';
import type { RecordFile } from '../records/record.js';
import type { Shard } from '../records/record-types.js';

/** The images of a run of all shards, in words; null for a shard alone. */
export function measuredOn(
  {
    dataset,
    split,
    data,
    shard,
  }: Pick<MeasuredSet, 'dataset' | 'split'> & { readonly data: string; readonly shard: Shard },
  opened: PictureSource,
  images: number,
): string | null {
  if (shard.count > 1) return null;
  const isDrawn = isDrawnSet(opened.images);
  return measuredWords({ dataset, split, images, total: opened.images.length, isDrawn, data });
}

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
  dataset: PictureSource,
  data: string,
): Promise<string> {
  const { header, images } = file;
  const { protocols, honourIgnore } = header;
  const isLisa = header.benchmark.startsWith('lisa-');
  const leftOut = refusedText(recordedRefusals(images));
  const strange = faultsText(recordedFaults(images));
  const measured = measuredSet(file, dataset, data);
  const analysis = analyse(file, measured);
  const worst = worstOfEachKind(analysis.failures, SCENES_OF_EACH_KIND);
  await writeReport(dir, {
    title: `${isLisa ? 'LISA' : 'GSVA'} on ${measuredWords(measured)}`,
    model: header.model,
    config: `SHA-256 ${header.configDigest.slice(0, 16)}`,
    checkpoint: `${header.checkpoint} (SHA-256 ${header.weightsDigest.slice(0, 16)})`,
    engine: header.engine,
    date: recordedEnd(file),
    seconds: recordedSeconds(images),
    details: [
      ['Data', data],
      ['Measured', measuredWords(measured)],
      ['Protocols', protocols.join(', ')],
      ...askedForms(file).map((form) => [`Asked, ${form.protocol}`, formSentence(form)] as const),
      ...(isLisa ? [] : [['[REJ]', rejection(header)] as const]),
      ...(honourIgnore ? [['Ignored regions', 'left out'] as const] : []),
      ...(leftOut === null ? [] : [['Left out', leftOut] as const]),
      ...(strange === null ? [] : [['Generate', strange] as const]),
    ],
    rows: recordedResults(file).map((result) => ({
      stage: 'model',
      protocol: result.protocol,
      metrics: result.figures,
    })),
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
