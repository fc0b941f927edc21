/** Options of every command that takes a model: one of our folders, or the four files of the published code. */
import JSON5 from 'json5';
import { CONVERSATION_STYLES } from '../../data/text/conversation.js';
import { UsageError } from '../../errors.js';
import type { ModelSource } from '../../inference/open-model.js';
import { packagePath } from '../../program.js';
import { option, type Reader, type ValuesOf } from './option.js';
import { INPUT_PATH, listed, oneOf } from './values.js';

/** `key=value` pairs, e.g. `--set optimizer.lr=1e-4`; values are JSON5, or plain words. */
export const KEY_VALUES: Reader<(readonly [key: string, value: unknown])[]> = {
  form: 'list',
  read: (value, flag) =>
    listed(value).map((pair) => {
      const equals = pair.indexOf('=');
      const key = pair.slice(0, Math.max(equals, 0)).trim();
      if (key === '') throw new UsageError(`--${flag} takes key=value, not ${JSON.stringify(pair)}`);
      return [key, parsed(pair.slice(equals + 1))];
    }),
};

const SYSTEMS = ['gsva', 'lisa'] as const;

export const MODEL_OPTIONS = {
  model: option('Folder of a model (default: checkpoints/tiny)', INPUT_PATH),
  mllm: option("Published files instead: LLaVA's folder, or LISA's", INPUT_PATH),
  'vision-tower': option("... CLIP's folder", INPUT_PATH),
  sam: option("... sam_vit_{b,l,h}.pth; LISA's files hold it", INPUT_PATH),
  weights: option("... gsva-*.bin, or LISA's training checkpoint", INPUT_PATH),
  system: option('... and the system that they are of (default: lisa without --sam, gsva with it)', oneOf(SYSTEMS)),
  conversation: option(
    '... and their style of conversation: llava_v1 (default), llava_llama_2, vicuna (LISA v0), or internvl2_5',
    oneOf(CONVERSATION_STYLES),
  ),
  set: option('... and sizes that the files do not hold: --set sam.decoder_heads=8', KEY_VALUES),
};

export type ModelArguments = ValuesOf<typeof MODEL_OPTIONS>;

/** @returns null where none is named. @throws UsageError where the options do not make one model */
export function namedModel(args: ModelArguments): ModelSource | null {
  const { model, mllm, visionTower: tower, sam, weights, system, conversation, set = [] } = args;
  const parts = { '--mllm': mllm, '--vision-tower': tower };
  const namesOf = (options: object, isGiven = true): string[] =>
    Object.entries(options).flatMap(([name, value]) => ((value !== undefined) === isGiven ? [name] : []));
  const [given] = namesOf({ ...parts, '--sam': sam, '--weights': weights });
  if (given === undefined) {
    const [extra] = namesOf({ '--conversation': conversation, '--system': system, '--set': set[0] });
    if (extra !== undefined) throw new UsageError(`${extra} belongs to --mllm, --vision-tower, --sam and --weights`);
    return model ?? null;
  }
  if (model !== undefined) throw new UsageError(`--model and ${given} exclude each other`);
  if (mllm === undefined || tower === undefined)
    throw new UsageError(`published files are named together: ${namesOf(parts, false).join(', ')} is missing`);
  const files = { mllm, visionTower: tower, sam: sam ?? null, weights: weights ?? null };
  return { ...files, conversation, system, overrides: set };
}

/** A trained model: the small one of the package where none is named. */
export function trainedModel(args: ModelArguments): ModelSource {
  const source = namedModel(args) ?? packagePath('checkpoints', 'tiny');
  if (typeof source !== 'string' && source.weights === null && source.sam !== null) {
    throw new UsageError('--weights is missing: without it LoRA and the mask prompt are not trained');
  }
  return source;
}

function parsed(value: string): unknown {
  try {
    return JSON5.parse(value);
  } catch {
    return value;
  }
}
