/** `gsva convert`, `gsva convert delta`, `gsva merge`, `gsva export`: models from one form of files into another. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import type { DtypeName, ExportPart, WriteRequest } from './convert-job.js';
import { MODEL_OPTIONS, namedModel, type ModelArguments } from './model-options.js';
import type { ModelSource } from '../inference/open-model.js';
import { finiteNumber, oneOf, someOf, text } from './values.js';
import { defineVerb } from './verb.js';

const DTYPES = ['f32', 'bf16', 'f16'] as const satisfies readonly DtypeName[];
const FORMATS = ['pytorch', 'hf', 'lisa'] as const;
const EXPORT_PARTS = ['mllm', 'vision-tower', 'sam', 'weights'] as const satisfies readonly ExportPart[];

const WRITE_OPTIONS = {
  out: {
    describe: 'Folder to write; it must not exist',
    type: 'string',
    requiresArg: true,
    demandOption: true,
    coerce: text('out'),
  },
  dtype: {
    describe: 'How weights are stored (default: as they are; what is computed is f32)',
    requiresArg: true,
    choices: DTYPES,
    coerce: oneOf('dtype', DTYPES),
  },
  'shard-gb': {
    describe: 'Largest file, in 10^9 bytes',
    requiresArg: true,
    default: 2,
    coerce: finiteNumber('shard-gb', { min: 0.000001, max: 1000 }),
  },
} satisfies Record<string, Options>;

export const convertVerb = defineVerb({
  path: ['convert'],
  describe: 'Write a model as one of our folders: safetensors, sizes, tokenizer',
  positionals: {},
  options: { ...MODEL_OPTIONS, ...WRITE_OPTIONS },
  examples: [
    [
      'gsva convert --mllm llava-7b --vision-tower clip-vit-large-patch14 --sam sam_vit_h_4b8939.pth --weights gsva-7b.bin --out gsva-7b',
      'the four files of the published code, put together',
    ],
    ['gsva convert --model gsva-7b --dtype bf16 --out gsva-7b-bf16', 'half the size'],
  ],
  async run(args, context) {
    const source = required(args);
    const { runConvert } = await import('./convert-job.js');
    return runConvert({ source, ...writing(args) }, context);
  },
});

export const convertDeltaVerb = defineVerb({
  path: ['convert', 'delta'],
  describe: "Add LLaVA's delta to LLaMA: a whole LLaVA folder",
  positionals: {},
  options: {
    base: {
      describe: "LLaMA's folder",
      type: 'string',
      requiresArg: true,
      demandOption: true,
      coerce: text('base'),
    },
    delta: {
      describe: "The delta's folder: config.json, weights, tokenizer",
      type: 'string',
      requiresArg: true,
      demandOption: true,
      coerce: text('delta'),
    },
    ...WRITE_OPTIONS,
  },
  examples: [['gsva convert delta --base llama-7b --delta LLaVA-7b-delta-v0 --out llava-7b', 'base + delta']],
  async run(args, context) {
    const { base, delta } = args;
    const { runConvertDelta } = await import('./convert-job.js');
    return runConvertDelta({ base, delta, ...writing(args) }, context);
  },
});

export const mergeVerb = defineVerb({
  path: ['merge'],
  describe: 'Fold LoRA into the weights that it adapts',
  positionals: {},
  options: { ...MODEL_OPTIONS, ...WRITE_OPTIONS },
  examples: [['gsva merge --model gsva-7b --out gsva-7b-merged', 'the same answers, no adapter']],
  async run(args, context) {
    const source = required(args);
    const { runMerge } = await import('./convert-job.js');
    return runMerge({ source, ...writing(args) }, context);
  },
});

const EXPORT_OPTIONS = {
  ...MODEL_OPTIONS,
  ...WRITE_OPTIONS,
  format: {
    describe:
      'llava/ and clip/ as pytorch_model.bin (pytorch) or model.safetensors (hf); lisa: lisa/ and clip/ as LISA is published, ' +
      'LoRA folded in (default: pytorch, and lisa for a model of LISA)',
    requiresArg: true,
    choices: FORMATS,
    coerce: oneOf('format', FORMATS),
  },
  parts: {
    describe: 'What to write (default: all)',
    type: 'array',
    string: true,
    choices: EXPORT_PARTS,
    coerce: someOf('parts', EXPORT_PARTS),
  },
} satisfies Record<string, Options>;

export const exportVerb = defineVerb({
  path: ['export'],
  describe: 'Write the files that the published code loads: llava/, clip/, sam.pth, gsva.bin',
  positionals: {},
  options: EXPORT_OPTIONS,
  examples: [
    ['gsva export --model runs/gsva/best --out published', 'all four'],
    ['gsva export --model runs/gsva/best --parts weights --out published', 'what was trained: gsva.bin'],
    ['gsva export --model runs/lisa/best --format lisa --out published', "LISA's folder, merged, and CLIP's"],
  ],
  async run(args, context) {
    const source = required(args);
    const { format = null, parts = [...EXPORT_PARTS] } = args;
    const { runExport } = await import('./convert-job.js');
    return runExport({ source, format, parts, ...writing(args) }, context);
  },
});

function required(args: ModelArguments): ModelSource {
  const source = namedModel(args);
  if (source !== null) return source;
  throw new UsageError('say which model: --model FOLDER, or --mllm, --vision-tower, --sam and --weights');
}

function writing(args: {
  readonly out: string;
  readonly dtype: DtypeName | undefined;
  readonly 'shard-gb': number;
}): WriteRequest {
  return { out: args.out, dtype: args.dtype ?? null, shardBytes: Math.floor(args['shard-gb'] * 1e9) };
}
