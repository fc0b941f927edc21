/** `gsva convert`, `convert delta`, `merge` and `export`: models from one form of files into another. */
import { UsageError } from '../../errors.js';
import type { ModelSource } from '../../inference/open-model.js';
import { notFiniteText } from '../../io/tensor-statistics.js';
import { bytesText } from '../../machine.js';
import { gsvaCommand } from '../../program.js';
import type { ConvertResult, WriteOptions, WrittenModel } from '../../workflows/convert.js';
import type { Watch } from '../../workflows/watch.js';
import { type CommandContext, defineCommand } from '../command.js';
import { MODEL_OPTIONS, type ModelArguments, namedModel } from '../options/model.js';
import { option, required, type ValuesOf, withDefault } from '../options/option.js';
import { finiteNumber, oneOf, someOf, TEXT } from '../options/values.js';
import type { Output } from '../output.js';

const WRITE_OPTIONS = {
  out: required('Folder to write; it must not exist', TEXT),
  dtype: option(
    'How weights are stored (default: unchanged; what is computed is f32)',
    oneOf(['f32', 'bf16', 'f16'] as const),
  ),
  'shard-gb': withDefault('Largest file, in 10^9 bytes', finiteNumber(0.000001, 1000), 2),
};
const PARTS = ['mllm', 'vision-tower', 'sam', 'weights'] as const;

export const commands = {
  convert: defineCommand({
    options: { ...MODEL_OPTIONS, ...WRITE_OPTIONS },
    examples: {
      'gsva convert --mllm llava-7b --vision-tower clip-vit-large-patch14 --sam sam_vit_h_4b8939.pth --weights gsva-7b.bin --out gsva-7b':
        'the four files of the published code, put together',
      'gsva convert --model gsva-7b --dtype bf16 --out gsva-7b-bf16': 'half the size',
      'gsva convert --model InternVL3-2B --out start-2b': 'what the training of SELF1E starts from',
    },
    async run(args, context) {
      const source = requiredModel(args);
      const { convert } = await import('../../workflows/convert.js');
      const model = await convert({ source, ...writing(args, context) });
      const { loaded, drawnLater, published } = model;
      if (published !== null) showParts(published, context.output);
      const { parts, grown, drawn } = published ?? {};
      return showWritten(model, { loaded, drawnLater, parts, grown, drawn }, context);
    },
  }),
  'convert delta': defineCommand({
    options: {
      base: required("LLaMA's folder", TEXT),
      delta: required("The delta's folder: config.json, weights, tokenizer", TEXT),
      ...WRITE_OPTIONS,
    },
    examples: { 'gsva convert delta --base llama-7b --delta LLaVA-7b-delta-v0 --out llava-7b': 'base + delta' },
    async run(args, context) {
      const { addLlavaDelta } = await import('../../workflows/convert.js');
      return showWritten(await addLlavaDelta({ ...args, ...writing(args, context) }), {}, context);
    },
  }),
  merge: defineCommand({
    options: { ...MODEL_OPTIONS, ...WRITE_OPTIONS },
    examples: { 'gsva merge --model gsva-7b --out gsva-7b-merged': 'the same answers, no adapter' },
    async run(args, context) {
      const source = requiredModel(args);
      const { mergeAdapter } = await import('../../workflows/convert.js');
      const model = await mergeAdapter({ source, ...writing(args, context) });
      context.output.line(`LoRA of rank ${model.rank} folded into ${model.merged} weights`);
      return showWritten(model, { merged: model.merged }, context);
    },
  }),
  export: defineCommand({
    options: {
      ...MODEL_OPTIONS,
      ...WRITE_OPTIONS,
      format: option(
        'llava/ and clip/ as pytorch_model.bin (pytorch) or model.safetensors (hf); lisa: lisa/ and clip/ as LISA is ' +
          'published, LoRA folded in (default: pytorch; lisa for a model of LISA; one of SELF1E has one form, without --format)',
        oneOf(['pytorch', 'hf', 'lisa'] as const),
      ),
      parts: withDefault('Parts to write', someOf(PARTS), [...PARTS], 'all'),
    },
    examples: {
      'gsva export --model runs/gsva/best --out published': 'all four',
      'gsva export --model runs/gsva/best --parts weights --out published': 'what was trained: gsva.bin',
      'gsva export --model runs/lisa/best --out published': "LISA's folder, merged, and CLIP's",
      'gsva export --model runs/self1e/best --out SELF1E-2B': "SELF1E's folder, merged, in bf16",
    },
    async run(args, context) {
      const source = requiredModel(args);
      const { format, parts } = args;
      const { exportModel } = await import('../../workflows/convert.js');
      const model = await exportModel({ source, format, parts, ...writing(args, context) });
      return showWritten(model, { parts, format: model.format }, context);
    },
  }),
};

function writing(
  { out, dtype, shardGb }: ValuesOf<typeof WRITE_OPTIONS>,
  { onNote, onProgress, signal }: CommandContext,
): WriteOptions & Watch {
  return { out, dtype, shardBytes: Math.floor(shardGb * 1e9), onNote, onProgress, signal };
}

function requiredModel(args: ModelArguments): ModelSource {
  const source = namedModel(args);
  if (source !== null) return source;
  throw new UsageError('name a model: --model FOLDER, or published files: --mllm and what belongs to it');
}

/** Tensors that a warning names. */
const MOST_NAMED = 3;

/** @param facts for the JSON object @returns the exit code */
function showWritten(model: WrittenModel, facts: object, { output, onNote }: CommandContext): number {
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

function showParts({ parts, grown, drawn = [] }: NonNullable<ConvertResult['published']>, output: Output): void {
  const rows = parts.map(({ part, files, loaded, replaced, unused }) => {
    return [part, files.length, loaded, replaced.length, unused.length];
  });
  output.table(['part', 'files', 'tensors', 'replace others', 'not used'], rows);
  for (const { part, within } of parts) if (within !== null) output.line(` ${part}: the tensors of ${within}`);
  const reasons = new Map<string, number>();
  for (const { reason } of parts.flatMap(({ unused }) => unused)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [reason, count] of reasons) output.line(` not used: ${count} × ${reason}`);
  for (const { name, from, to } of grown) {
    output.line(` ${name}: rows ${from} to ${to - 1} are new, for the added tokens`);
  }
  if (drawn.length > 0) output.line(` drawn at random, for training to start from: ${drawn.join(', ')}`);
}
