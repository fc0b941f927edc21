/** Options of the commands that write models: convert, convert delta, merge and export. */
import { UsageError } from '../../errors.js';
import type { ModelSource } from '../../inference/open-model.js';
import type { WriteOptions } from '../../workflows/convert.js';
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
