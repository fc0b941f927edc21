/** The work behind `gsva report merge`, `calibrate` and `write`: files of records in, figures out. */
import { existsSync } from 'node:fs';
import { UserError } from '../errors.js';
import { calibrate } from '../evaluation/calibration.js';
import { mergeRecords } from '../evaluation/records/merge-records.js';
import { readRecords, readWholeRun, recordText } from '../evaluation/records/record-file.js';
import { recordedFaults, recordedResults, recordsOf } from '../evaluation/records/record-figures.js';
import { calibrationProtocol } from '../evaluation/report/analysis-data.js';
import { weightsDigest } from '../inference/model-digest.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { storeRejectThreshold } from '../checkpoints/checkpoint-directory.js';
import { measuredOn, writeRecordedReport } from './eval-report.js';
import { faultsText, figureHead, figureRow, figuresOf } from './measure.js';
import { isFile, openDataset } from './open-dataset.js';
import type { Cell } from './output.js';
import type { VerbContext } from './verb.js';

/** @returns the exit code, here and below */
export function runReportMerge(
  { files, out }: { readonly files: readonly string[]; readonly out: string },
  { output }: VerbContext,
): number {
  if (existsSync(out)) throw new UserError(`Joining records: ${out} is there already. Name another file as --out.`);
  const merged = mergeRecords(files.map(readRecords));
  writeFileAtomic(out, recordText(merged));
  const results = recordedResults(merged);
  output.table(figureHead(results), results.map(figureRow));
  const strange = faultsText(recordedFaults(merged.images));
  if (strange !== null) output.line(strange);
  output.line(out);
  output.json({ out, files, results: results.map((result) => ({ ...figuresOf(result), ...result })) });
  return 0;
}

export function runReportCalibrate(
  { file, store }: { readonly file: string; readonly store: string | null },
  { output }: VerbContext,
): number {
  const { header, images } = readWholeRun(file);
  const protocol = calibrationProtocol(header.protocols);
  const calibration = calibrate(recordsOf(images, protocol));
  if (calibration === null) {
    throw new UserError(
      `Calibrating: ${file} has no decisions about both present and absent targets. Measure more images.`,
    );
  }
  const { best, standard, area, decisions, undecided } = calibration;
  if (store !== null) storeThreshold(store, file, header, best.threshold);
  const row = (name: string, { N_acc, T_acc }: { N_acc: number; T_acc: number }): Cell[] => [
    name,
    ...[N_acc, T_acc, (N_acc + T_acc) / 2].map((value) => value.toFixed(3)),
  ];
  output.table(
    ['[REJ] from', 'N-acc', 'T-acc', 'mean'],
    [row(`${best.threshold.toFixed(4)} (best)`, best), row('0.5', standard)],
  );
  output.line(`area under the curve ${area.toFixed(4)}, ${decisions} decisions of ${header.split} by ${protocol}`);
  if (store !== null) output.line(`${store}/meta.json: rejectThreshold ${best.threshold}`);
  output.json({
    file,
    protocol,
    split: header.split,
    area,
    best,
    standard,
    decisions,
    undecided,
    curve: calibration.curve,
    stored: store,
  });
  return 0;
}

/** A threshold belongs to the weights it was found for, and is not chosen on what figures are reported of. */
function storeThreshold(
  dir: string,
  file: string,
  { split, weightsDigest: measured }: { readonly split: string; readonly weightsDigest: string },
  threshold: number,
): void {
  if (split.startsWith('test')) {
    throw new UserError(
      `Calibrating: ${file} is of the split ${split}; a threshold that is chosen there makes its figures worthless. ` +
        'Use records of val.',
    );
  }
  if (weightsDigest(dir) !== measured) {
    throw new UserError(
      `Calibrating: ${file} was measured with other weights than those of ${dir}. Name that model's folder.`,
    );
  }
  storeRejectThreshold(dir, threshold);
}

export async function runReportWrite(
  { file, data, out }: { readonly file: string; readonly data: string; readonly out: string },
  { output }: VerbContext,
): Promise<number> {
  const run = readWholeRun(file);
  const { dataset, split, honourIgnore } = run.header;
  const isOwn = isFile(data);
  if ((dataset === 'own') !== isOwn) {
    throw new UserError(
      `Writing the report: ${file} is of ${dataset} ${split}; ${data} is ${isOwn ? 'a file of own data' : 'a folder'}. ` +
        'Name the data that was measured.',
    );
  }
  const opened = await openDataset({ data, dataset, split, honourIgnore });
  const page = await writeRecordedReport(out, run, opened, data);
  const measured = measuredOn({ dataset, split, data, shard: run.header.shard }, opened, run.images.length);
  output.line(`measured on ${measured ?? ''}`);
  output.line(page);
  output.json({ file, measured, report: page });
  return 0;
}
