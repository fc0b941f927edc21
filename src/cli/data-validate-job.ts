/** The work behind `gsva data validate`. */
import { checkOwnData } from '../data/own/own-data-check.js';
import type { ProgressBar } from './progress.js';
import type { VerbContext } from './verb.js';

export interface ValidateRequest {
  readonly file: string;
  /** Problems to show at most. */
  readonly show: number;
}

/** @returns the exit code: 1 where there are problems, or nothing else */
export async function runValidate({ file, show }: ValidateRequest, context: VerbContext): Promise<number> {
  const { output } = context;
  let progress: ProgressBar | null = null;
  const onProgress = (done: number, total: number): void => {
    context.signal.throwIfAborted();
    progress ??= context.startProgress('check', total);
    progress.update(done);
  };
  const stopProgress = (): void => progress?.stop();
  const { splits, problems } = await checkOwnData(file, show, onProgress).finally(stopProgress);
  const pass = problems.total === 0 && splits.length > 0;
  for (const { message } of problems.first) output.line(message);
  if (problems.total > problems.first.length) output.line(`and ${problems.total - problems.first.length} more`);
  if (splits.length > 0) {
    output.table(
      ['split', 'images', 'expressions', 'of several parts', 'absent'],
      splits.map(({ split, images, expressions, multiPart, absent }) => [
        split,
        images,
        expressions,
        multiPart,
        absent,
      ]),
    );
  }
  const told = problems.total === 1 ? 'one problem' : `${problems.total} problems`;
  output.line(
    splits.length === 0 && problems.total === 0 ? `${file}: nothing is in it` : `${file}: ${pass ? 'fine' : told}`,
  );
  output.json({ file, pass, splits, problems: problems.first, totalProblems: problems.total });
  return pass ? 0 : 1;
}
