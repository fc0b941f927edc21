/** Recorded evaluations: shards joined, and reports written without computing anything again. */
import { existsSync } from 'node:fs';
import { UserError } from '../errors.js';
import { mergeRecords, readRecords, readWholeRun, recordText } from '../evaluation/records/record-file.js';
import { recordedFaults, recordedResults } from '../evaluation/records/record-figures.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { isFile, openDataset } from './open-dataset.js';
import { measuredOn, writeRecordedReport } from '../evaluation/report/recorded-report.js';

/**
 * Joins the records of all shards of an evaluation into one file, as one process would have written it.
 * @throws UserError for missing, doubled, unfinished and foreign shards, and where `out` exists
 */
export function mergeShards(files: readonly string[], out: string) {
  if (existsSync(out)) throw new UserError(`Joining records: ${out} is there already. Name another file as --out.`);
  const merged = mergeRecords(files.map(readRecords));
  writeFileAtomic(out, recordText(merged));
  return { results: recordedResults(merged), faults: recordedFaults(merged.images) };
}

/**
 * Writes the report of recorded results.
 * @param records of a whole run @param data folder or file that was measured, for the pictures
 * @param out folder of the report: HTML, Markdown and JSON
 * @returns the images in words, and the path of the page
 */
export async function writeReport(records: string, data: string, out: string) {
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
