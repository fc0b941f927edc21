/** `gsva verify`: replays recorded reference results and shows how far this machine's numbers are from them. */
import { UsageError } from '../../errors.js';
import { findRecordings, type Verification, verifyRecording } from '../../verification/recordings.js';
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
      'Folders of recordings, or folders that hold recordings; system and kind are read from their files',
      TEXTS,
    ),
  },
  options: MODEL_OPTIONS,
  examples: {
    'gsva verify test/fixtures': 'everything that comes with the sources',
    'gsva verify test/fixtures/gsva-tiny --json': 'the model alone, for a program to read',
    'gsva verify test/fixtures/gsva-tiny --model FOLDER': 'the recorded model from other files, weight by weight too',
  },
  async run(args, context) {
    const found = args.folders.map((folder) => findRecordings(folder));
    const [recordings, leftOut] = [found.flatMap((each) => each.recordings), found.flatMap((each) => each.leftOut)];
    for (const reason of leftOut) context.onNote(`left out: ${reason}`);
    const source = namedModel(args);
    const hasModel = recordings.some(({ subject }) => subject.isModel === true);
    if (source !== null && !hasModel) throw new UsageError('--model and the like need the recording of a model');
    if (hasModel) await (await import('../../workflows/engine.js')).startNoted(hardwareOf(args), context);
    const verifications: Verification[] = [];
    for (const recording of recordings) {
      context.signal.throwIfAborted();
      const { folder, subject } = recording;
      context.onNote(`verifying ${folder} (${subject.system}, ${subject.kind}) ...`);
      verifications.push(await verifyRecording(recording, source));
    }
    return show(verifications, leftOut, context.output);
  },
});

function show(verifications: readonly Verification[], leftOut: readonly string[], output: Output): number {
  const { colors } = output;
  for (const { folder, system, kind, signed, items, seconds } of verifications) {
    const about = [system, kind, signed ? 'signed' : 'unsigned', duration(seconds)].join(', ');
    output.line(colors.bold(`${folder} (${about})`));
    const rows = items.map(({ item, largestError, tolerance, pass, detail }): Cell[] => [
      item,
      toText(largestError),
      toText(tolerance),
      `${pass ? colors.green('pass') : colors.red('FAIL')}${detail === undefined ? '' : `  ${detail}`}`,
    ]);
    output.table(['item', 'largest error>', 'tolerance>', 'pass'], rows);
    output.line();
  }
  const json = verifyJson(verifications, leftOut);
  const verdict = json.failed === 0 ? colors.green('all passed') : colors.red(`${json.failed} failed`);
  output.line(`${json.items} items, ${verifications.length} folders: ${verdict}`);
  output.json(json);
  return json.pass ? 0 : 1;
}

export function verifyJson(recordings: readonly Verification[], leftOut: readonly string[]) {
  const items = recordings.flatMap((each) => each.items);
  const failed = items.filter(({ pass }) => !pass).length;
  return { pass: recordings.every(({ pass }) => pass), items: items.length, failed, recordings, leftOut };
}

/** 0 → '0', 0.000123 → '1.2e-4', 0.25 → '0.25'. */
function toText(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) < 1e-2 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
}
