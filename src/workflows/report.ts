/** Recorded evaluations: shards joined, and reports written without computing anything again. */
import { existsSync } from 'node:fs';
import { UserError } from '../errors.js';
import { mergeRecords, readRecords, readWholeRun, recordText } from '../evaluation/records/record-file.js';
import { recordedFaults, recordedResults } from '../evaluation/records/record-figures.js';
import type { RecordedFaults, RecordedResult } from '../evaluation/records/record-types.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { isFile, openDataset } from './open-dataset.js';
import { measuredOn, writeRecordedReport } from '../evaluation/report/recorded-report.js';

/**
 * Joins the records of all shards of an evaluation into one file, as one process would have written it.
 * @throws UserError for missing, doubled, unfinished and foreign shards, and where `out` exists
 */
export function mergeShards({ files, out }: { readonly files: readonly string[]; readonly out: string }): {
  readonly results: readonly RecordedResult[];
  readonly faults: RecordedFaults | null;
} {
  if (existsSync(out)) throw new UserError(`Joining records: ${out} is there already. Name another file as --out.`);
  const merged = mergeRecords(files.map(readRecords));
  writeFileAtomic(out, recordText(merged));
  return { results: recordedResults(merged), faults: recordedFaults(merged.images) };
}

export interface ReportOptions {
  /** Records of a whole run. */
  readonly records: string;
  /** Folder or file that was measured, for the pictures. */
  readonly data: string;
  /** Folder of the report: HTML, Markdown and JSON. */
  readonly out: string;
}

/** Writes the report of recorded results. @returns the images in words, and the path of the page */
export async function writeReport({ records, data, out }: ReportOptions): Promise<{
  readonly measured: string | null;
  readonly report: string;
}> {
  const run = readWholeRun(records);
  const { dataset, split, honourIgnore, shard, benchmark } = run.header;
  const isOwn = isFile(data);
  if ((dataset === 'own') !== isOwn) {
    throw new UserError(
      `Writing the report: ${records} is of ${dataset} ${split}; ${data} is ${isOwn ? 'a file of own data' : 'a folder'}. ` +
        'Name the data that was measured.',
    );
  }
  const opened = await openDataset({ data, dataset, split, honourIgnore }, benchmark);
  const report = await writeRecordedReport(out, run, opened, data);
  return { measured: measuredOn({ dataset, split, data, shard }, opened, run.images.length), report };
}
