/** `gsva verify`: replays recorded reference results and shows how far this machine's numbers are from them. */
import { UsageError } from '../../errors.js';
import type { VerifyItem } from '../../verification/verify-item.js';
import { findRecordings } from '../../verification/recordings.js';
import { type Verification, verifyRecording } from '../../workflows/verify.js';
import { duration } from '../../workflows/watch.js';
import { defineCommand } from '../command.js';
import { MODEL_OPTIONS, namedModel } from '../options/model.js';
import { required } from '../options/option.js';
import { hardwareOf } from '../options/shared.js';
import { TEXTS } from '../options/values.js';
import type { Cell, Output } from '../output.js';

export const command = defineCommand({
  positionals: {
    folders: required(
      'Folders of recordings (model, metrics, tokenizer, datasets, images), or one that holds such folders',
      TEXTS,
    ),
  },
  options: MODEL_OPTIONS,
  examples: [
    ['gsva verify test/fixtures', 'everything that comes with the sources'],
    ['gsva verify test/fixtures/gsva-tiny --json', 'the model alone, for a program to read'],
    ['gsva verify test/fixtures/gsva-tiny --model FOLDER', 'the recorded model from other files, weight by weight too'],
  ],
  async run(args, context) {
    const recordings = args.folders.flatMap((folder) => findRecordings(folder));
    const source = namedModel(args);
    const hasModel = recordings.some(({ kind }) => kind === 'model');
    if (source !== null && !hasModel) throw new UsageError('--model and the like need the recording of a model');
    if (hasModel) await (await import('../../workflows/engine.js')).startNoted(hardwareOf(args), context);
    const verifications: Verification[] = [];
    for (const recording of recordings) {
      context.signal.throwIfAborted();
      context.onNote(`verifying ${recording.folder} (${recording.kind}) ...`);
      verifications.push(await verifyRecording(recording, source));
    }
    show(verifications, context.output);
    return verifications.every(({ items }) => hasPassed(items)) ? 0 : 1;
  },
});

function hasPassed(items: readonly VerifyItem[]): boolean {
  return items.every(({ pass }) => pass);
}

function show(verifications: readonly Verification[], output: Output): void {
  const { colors } = output;
  for (const { folder, kind, items, seconds } of verifications) {
    output.line(colors.bold(`${folder} (${kind}, ${duration(seconds)})`));
    const rows = items.map(({ item, largestError, tolerance, pass, detail }): Cell[] => [
      item,
      toText(largestError),
      toText(tolerance),
      `${pass ? colors.green('pass') : colors.red('FAIL')}${detail === undefined ? '' : `  ${detail}`}`,
    ]);
    output.table(['item', 'largest error', 'tolerance', 'pass'], rows, ['left', 'right', 'right', 'left']);
    output.line();
  }
  const all = verifications.flatMap(({ items }) => items);
  const failed = all.filter(({ pass }) => !pass).length;
  const verdict = failed === 0 ? colors.green('all passed') : colors.red(`${failed} failed`);
  output.line(`${all.length} items, ${verifications.length} folders: ${verdict}`);
  output.json({
    pass: verifications.every(({ items }) => hasPassed(items)),
    items: all.length,
    failed,
    recordings: verifications.map(({ items, ...rest }) => ({ ...rest, pass: hasPassed(items), items })),
  });
}

/** 0 → '0', 0.000123 → '1.2e-4', 0.25 → '0.25'. */
function toText(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) < 1e-2 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
}
