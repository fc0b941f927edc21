/** Options of the commands that write models: convert, convert delta, merge and export. */
import { UsageError } from '../../errors.js';
import type { ModelSource } from '../../inference/open-model.js';
import { notFiniteText } from '../../io/tensor-statistics.js';
import { bytesText } from '../../machine.js';
import { gsvaCommand } from '../../program.js';
import type { WriteOptions, WrittenModel } from '../../workflows/convert.js';
import type { CommandContext } from '../command.js';
import { type ModelArguments, namedModel } from './model.js';
import { option, required, type ValuesOf, withDefault } from './option.js';
import { finiteNumber, oneOf, TEXT } from './values.js';

export const WRITE_OPTIONS = {
  out: required('Folder to write; it must not exist', TEXT),
  dtype: option(
    'How weights are stored (default: unchanged; what is computed is f32)',
    oneOf(['f32', 'bf16', 'f16'] as const),
  ),
  'shard-gb': withDefault('Largest file, in 10^9 bytes', finiteNumber({ min: 0.000001, max: 1000 }), 2),
};

export function writing({ out, dtype, shardGb }: ValuesOf<typeof WRITE_OPTIONS>): WriteOptions {
  return { out, dtype, shardBytes: Math.floor(shardGb * 1e9) };
}

/** @throws UsageError where no model is named */
export function requiredModel(args: ModelArguments): ModelSource {
  const source = namedModel(args);
  if (source !== null) return source;
  throw new UsageError('name a model: --model FOLDER, or --mllm, --vision-tower, --sam and --weights');
}

/** Tensors that a warning names. */
const MOST_NAMED = 3;

/** @param facts for the JSON object @returns the exit code */
export function showWritten(model: WrittenModel, facts: object, { output, onNote }: CommandContext): number {
  const { out, tensors, bytes, peakRss, notFinite } = model;
  for (const tensor of notFinite.slice(0, MOST_NAMED)) onNote(`warning: ${notFiniteText(tensor)}`);
  if (notFinite.length > 0) {
    const all = notFinite.length > MOST_NAMED ? `, ${notFinite.length} tensors in all,` : '';
    onNote(
      `warning: these weights${all} are written as they are, and no answer of theirs is a number: look at them with ` +
        `${gsvaCommand(`inspect --stats ${out}`)}, and get another copy`,
    );
  }
  output.line(`${out}: ${tensors} tensors, ${bytesText(bytes)}`);
  output.json({ out, tensors, bytes, peakRss, ...(notFinite.length === 0 ? {} : { notFinite }), ...facts });
  return 0;
}
