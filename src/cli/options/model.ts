/** Options of every command that takes a model: one of our folders, or the four files of the published code. */
import JSON5 from 'json5';
import { CONVERSATION_STYLES } from '../../data/text/conversation.js';
import { UsageError } from '../../errors.js';
import type { ModelSource } from '../../inference/open-model.js';
import { packagePath } from '../../program.js';
import { PUBLISHED_SYSTEMS, publishedFolder } from '../../systems/published-files.js';
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

export const MODEL_OPTIONS = {
  model: option("Folder of a model, SELF1E's published one too (default: checkpoints/tiny)", INPUT_PATH),
  mllm: option("Published files instead: LLaVA's folder, LISA's, InternVL3's, or SELF1E's", INPUT_PATH),
  'vision-tower': option("... CLIP's folder; InternVL3 has its own", INPUT_PATH),
  sam: option("... sam_vit_{b,l,h}.pth; LISA's files hold it, and SELF1E has none", INPUT_PATH),
  weights: option('... gsva-*.bin, or a training checkpoint of LISA or SELF1E', INPUT_PATH),
  system: option(
    '... and their system (default: self1e without --vision-tower, else lisa without --sam, else gsva)',
    oneOf(PUBLISHED_SYSTEMS),
  ),
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
  const isWhole = tower === undefined && mllm !== undefined && (system === 'self1e' || publishedFolder(mllm) !== null);
  if (mllm === undefined || (tower === undefined && !isWhole))
    throw new UsageError(`published files are named together: ${namesOf(parts, false).join(', ')} is missing`);
  const files = { mllm, visionTower: tower ?? null, sam: sam ?? null, weights: weights ?? null };
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
