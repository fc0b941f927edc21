/** Options of every verb that takes a model: one of our folders, or the four files of the published code. */
import type { Options } from 'yargs';
import JSON5 from 'json5';
import { CONVERSATION_STYLES, type ConversationStyle } from '../data/text/conversation.js';
import { UsageError } from '../errors.js';
import type { ModelSource } from '../inference/open-model.js';
import { packagePath } from '../program.js';
import { finiteNumber, inputPath, keyValues, oneOf } from './values.js';

const SYSTEMS = ['gsva', 'lisa'] as const;

function path(
  flag: string,
  describe: string,
): { type: 'string'; requiresArg: true; describe: string; coerce: (value: unknown) => string } {
  return { type: 'string', requiresArg: true, describe, coerce: inputPath(flag) };
}

export const MODEL_OPTIONS = {
  model: path('model', 'Folder of a model (default: checkpoints/tiny)'),
  mllm: path('mllm', "Published files instead: LLaVA's folder, or LISA's"),
  'vision-tower': path('vision-tower', "... CLIP's folder"),
  sam: path('sam', "... sam_vit_{b,l,h}.pth; LISA's files hold it"),
  weights: path('weights', "... gsva-*.bin, or LISA's training checkpoint"),
  system: {
    describe: '... and the system that they are of (default: lisa without --sam, gsva with it)',
    requiresArg: true,
    choices: SYSTEMS,
    coerce: oneOf('system', SYSTEMS),
  },
  conversation: {
    describe: '... and their style of conversation: llava_v1 (default), llava_llama_2, or vicuna (LISA v0)',
    requiresArg: true,
    choices: CONVERSATION_STYLES,
    coerce: oneOf('conversation', CONVERSATION_STYLES),
  },
  set: {
    describe: '... and sizes that they do not say: --set sam.decoder_heads=8',
    type: 'array',
    requiresArg: true,
    coerce: keyValues('set'),
  },
} satisfies Record<string, Options>;

export const REJECT_THRESHOLD_OPTION = {
  describe:
    "[REJ] from this probability on; not by eval's protocol reference (default: the model's own, where one is stored)",
  requiresArg: true,
  coerce: finiteNumber('reject-threshold', { min: 0, max: 1 }),
} satisfies Options;

export interface ModelArguments {
  readonly model: string | undefined;
  readonly mllm: string | undefined;
  readonly 'vision-tower': string | undefined;
  readonly sam: string | undefined;
  readonly weights: string | undefined;
  readonly system: (typeof SYSTEMS)[number] | undefined;
  readonly conversation: ConversationStyle | undefined;
  readonly set: readonly (readonly [key: string, value: string])[] | undefined;
}

/** @returns null where none is named. @throws UsageError where the options do not make one model */
export function namedModel(args: ModelArguments): ModelSource | null {
  const { model, mllm, sam, weights, system, conversation, set = [] } = args;
  const tower = args['vision-tower'];
  const parts = { '--mllm': mllm, '--vision-tower': tower };
  const given = Object.entries({ ...parts, '--sam': sam, '--weights': weights }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length === 0) {
    const extras = { '--conversation': conversation, '--system': system, '--set': set[0] };
    const extra = Object.entries(extras).find(([, value]) => value !== undefined);
    if (extra !== undefined) throw new UsageError(`${extra[0]} belongs to --mllm, --vision-tower, --sam and --weights`);
    return model ?? null;
  }
  if (model !== undefined) throw new UsageError(`--model and ${given[0]?.[0] ?? ''} exclude each other`);
  if (mllm === undefined || tower === undefined) {
    const missing = Object.entries(parts).filter(([, value]) => value === undefined);
    throw new UsageError(`published files are named together: ${missing.map(([flag]) => flag).join(', ')} is missing`);
  }
  return {
    mllm,
    visionTower: tower,
    sam: sam ?? null,
    weights: weights ?? null,
    ...(conversation === undefined ? {} : { conversation }),
    ...(system === undefined ? {} : { system }),
    overrides: set.map(([key, value]) => [key, parsed(value)]),
  };
}

/** A trained model: the small one of the package where none is named. */
export function trainedModel(args: ModelArguments): ModelSource {
  const source = namedModel(args) ?? packagePath('checkpoints', 'tiny');
  if (typeof source !== 'string' && source.weights === null && source.sam !== null) {
    throw new UsageError('--weights is missing: without it LoRA and the mask prompt are not trained');
  }
  return source;
}

/** For reports and JSON: the folder, or the file of the weights. */
export function modelName(source: ModelSource): string {
  return typeof source === 'string' ? source : (source.weights ?? source.mllm);
}

function parsed(value: string): unknown {
  try {
    return JSON5.parse(value);
  } catch {
    return value;
  }
}
