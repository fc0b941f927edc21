/**
 * `gsva eval` under mpirun: each rank measures a shard and keeps its results in a file of its own; rank 0 joins them, image
 * after image as one process has them, so that every figure is the same.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { mergeRecords } from '../evaluation/records/merge-records.js';
import { recordedFaults, recordedRefusals, recordedResults } from '../evaluation/records/record-figures.js';
import { readRecords, recordText } from '../evaluation/records/record-file.js';
import { WHOLE } from '../evaluation/records/record.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { requireSame } from '../training/distributed/agreement.js';
import type { Communicator } from '../training/distributed/communicator.js';
import { type EvalRequest, evaluateShard, printFigures } from './eval-job.js';
import { measuredOn, writeRecordedReport } from './eval-report.js';
import type { VerbContext } from './verb.js';

/**
 * @param request of the whole run; its records lie where all ranks can read and write
 * @returns the exit code
 */
export async function runEvalRanks(
  request: EvalRequest & { readonly records: string },
  context: VerbContext,
  engine: EngineInfo,
  communicator: Communicator,
): Promise<number> {
  const { rank, size } = communicator;
  const { records, report, data } = request;
  if (existsSync(records)) {
    throw new UserError(`Writing records: ${records} is there already: a whole run. Name another file.`);
  }
  refuseOtherParts(records, size);
  await requireSame(communicator, { engine: describeEngine(engine) });
  const startedAt = performance.now();
  const parts = Array.from({ length: size }, (_, index) => `${records}.${index}-of-${size}`);
  const shard = { ...request, records: parts[rank] ?? '', report: null, shard: { index: rank, count: size } };
  const { dataset } = await communicator.duringLongWork(() => evaluateShard(shard, context, engine));
  await communicator.duringLongWork(() => communicator.barrier());
  if (rank > 0) return 0;
  const finish = async (): Promise<void> => {
    const merged = mergeRecords(parts.map(readRecords));
    writeFileAtomic(records, recordText(merged));
    for (const part of parts) rmSync(part);
    const measured = {
      results: recordedResults(merged),
      refused: recordedRefusals(merged.images),
      faults: recordedFaults(merged.images),
      seconds: (performance.now() - startedAt) / 1000,
    };
    printFigures(request, measured, context.output, engine);
    const words = measuredOn({ ...request, shard: WHOLE }, dataset, measured.results[0]?.images ?? 0);
    if (words !== null) context.output.line(`measured on ${words}`);
    if (report !== null) context.output.line(await writeRecordedReport(report, merged, dataset, data));
  };
  // The others wait for it, and are not to take this rank for hung.
  await communicator.duringLongWork(finish);
  return 0;
}

/** @throws UserError where another number of processes has begun this run: their shards are of no use to this one */
function refuseOtherParts(records: string, size: number): void {
  const dir = dirname(records);
  const prefix = `${basename(records)}.`;
  for (const name of existsSync(dir) ? readdirSync(dir) : []) {
    if (!name.startsWith(prefix)) continue;
    const count = /^\d+-of-(\d+)$/.exec(name.slice(prefix.length))?.[1];
    if (count === undefined || Number(count) === size) continue;
    throw new UserError(
      `Writing records: ${join(dir, name)} is of a run by ${count} processes, this one has ${size}. Go on with ` +
        `mpirun -np ${count} and --resume, or delete its parts.`,
    );
  }
}
