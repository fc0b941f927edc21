/** Sizes of a model of LLaVA and SAM (GSVA, LISA), as `config.json` of a checkpoint holds them. */
import type { z } from 'zod';
import { camelCase, camelKeys, CLIP, count, LLM, LORA, PROJECTIONS, PROJECTORS, SAM } from '../../config.js';
import type { ProjectorType } from '../../config.js';
import type { OpenedDirectory } from '../../checkpoints/checkpoint-directory.js';
import { UserError } from '../../errors.js';
import { nearestName } from '../../nearest-name.js';
import { alsoCheck, EDITOR_KEY, integer, list, number, object, oneOf, readAs, text } from '../../schema.js';
import type { Read, Refuse } from '../../schema.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from '../../special-tokens.js';
import type { WeightNames } from '../system.js';

const TOKENS = object({
  seg: count('[SEG]'),
  rej: count('[REJ], of systems that refuse by a token').optional(),
  im_patch: count('<im_patch>, of the first LISA').optional(),
  im_start: count('<im_start>'),
  im_end: count('<im_end>'),
  image: integer({ min: IMAGE_TOKEN_ID, max: IMAGE_TOKEN_ID }).describe('Stands where the image is inserted'),
  ignore: integer({ min: IGNORE_LABEL, max: IGNORE_LABEL }).describe('Label of a position that is not supervised'),
  pad: count('Padding'),
  bos: count('Begin of a text'),
  eos: count('End of a text'),
  more_segs: list(integer({ min: 0 }))
    .describe('The other [SEG] of a model with individual embeddings (paper, Table 10)')
    .optional(),
}).describe('Ids of special tokens');

const LOSS = object({
  ce: number().describe('Weight of the cross-entropy of the answer'),
  bce: number().describe('Weight of the binary cross-entropy of the masks'),
  dice: number().describe('Weight of the DICE loss of the masks'),
}).describe('L = ce · CE + bce · BCE + dice · DICE');

const SECTIONS = { clip: CLIP, llm: LLM, sam: SAM, lora: LORA, tokens: TOKENS, loss: LOSS };
export const SECTION_NAMES = Object.keys(SECTIONS) as (keyof typeof SECTIONS)[];
const SYSTEM = text().describe('The system that the model is of; files of earlier versions lack it').default('gsva');
const PROJECTOR = oneOf(PROJECTORS)
  .describe(
    "φ: from CLIP's width to LLaMA's; by default what the names of the weights show, and linear without weights",
  )
  .optional();

/** config.json: the system, φ and a section per part. */
export const MODEL_SCHEMA = object({ ...EDITOR_KEY, system: SYSTEM, projector: PROJECTOR, ...SECTIONS })
  .superRefine(alsoCheck(checkSizes))
  .transform(({ system, projector, clip, llm, sam, lora, tokens, loss }) => ({
    system,
    projector,
    ...{ clip: camelKeys(clip), llm: camelKeys(llm), sam: camelKeys(sam) },
    ...{ lora: camelKeys(lora), tokens: camelKeys(tokens), loss: camelKeys(loss) },
  }));

/** Some of a model's sizes, under the keys of config.json: what a run changes of its start model. */
export const PARTIAL_MODEL_SCHEMA = object({
  system: text().describe(SYSTEM.description ?? ''),
  projector: PROJECTOR,
  ...{ clip: CLIP.partial(), llm: LLM.partial(), sam: SAM.partial() },
  ...{ lora: LORA.partial(), tokens: TOKENS.partial(), loss: LOSS.partial() },
}).partial();

/** Sizes as a file has them, φ perhaps left out. */
export type ModelSizes = Read<typeof MODEL_SCHEMA>;
export type ModelConfig = ModelSizes & { readonly projector: ProjectorType };
export type TokenIds = ModelConfig['tokens'];

/** Every [SEG]: the n-th expression of a question is answered with the n-th of them, in turn. */
export function segIds({ seg, moreSegs = [] }: TokenIds): readonly number[] {
  return [seg, ...moreSegs];
}

/**
 * Reads the model's sizes from parsed JSON.
 * @param json the value of `config.json`
 * @param source the file's path, for errors
 * @param at where it stands in the file
 * @throws UserError naming the key
 */
export function parseModelConfig(json: unknown, source: string, at: readonly string[] = []): ModelConfig {
  return withProjector(readAs(MODEL_SCHEMA, json, source, at));
}

/** Sizes whose φ is linear where they say nothing of it: GSVA's own. */
export function withProjector(sizes: ModelSizes): ModelConfig {
  return { ...sizes, projector: sizes.projector ?? 'linear' };
}

/** @returns null where there are no weights of φ: it is the identity, or this is no LLaVA */
export function projectorOfWeights(names: Iterable<string>): ProjectorType | null {
  const all = [...names];
  if (all.some((name) => /(^|\.)model\.mm_projector\.weight$/.test(name))) return 'linear';
  return all.some((name) => /(^|\.)model\.mm_projector\.0\.weight$/.test(name)) ? 'mlp2x_gelu' : null;
}

/**
 * Value of config.json, completed by the weights where it has no φ.
 * @param source path of config.json, for errors
 * @throws UserError where there are no weights of φ, and the widths that it connects differ
 */
export function readModelConfig(json: unknown, source: string, weights?: WeightNames): ModelConfig {
  const sizes = readAs(MODEL_SCHEMA, json, source);
  if (weights === undefined) return withProjector(sizes);
  const projector = sizes.projector ?? projectorOfWeights(weights.names) ?? 'identity';
  const [from, to] = [sizes.clip.hiddenSize, sizes.llm.hiddenSize];
  if (projector !== 'identity' || from === to) return { ...sizes, projector };
  throw new UserError(
    `${weights.source} has no weights of the projector (mm_projector), and without one the width of CLIP (${from}) would ` +
      `have to be that of LLaMA (${to}). Use the whole checkpoint.`,
  );
}

/** Sizes of an opened model folder. */
export function configOf({ json, configPath, tensors, weightsPath }: Omit<OpenedDirectory, 'meta'>): ModelConfig {
  return readModelConfig(json, configPath, { names: tensors.keys(), source: weightsPath });
}

/** The inverse of `parseModelConfig`: JSON with the published key names. */
export function modelConfigToJson(config: ModelConfig): Record<string, unknown> {
  const { system, projector } = config;
  const sections = SECTION_NAMES.map((name) => [name, sectionToJson(name, config[name])] as const);
  return { system, projector, ...Object.fromEntries(sections) };
}

/** One section with the published key names. */
export function sectionToJson(name: keyof typeof SECTIONS, values: Readonly<Record<string, unknown>>) {
  const keys = Object.keys(SECTIONS[name].shape).filter((key) => values[camelCase(key)] !== undefined);
  return Object.fromEntries(keys.map((key) => [key, values[camelCase(key)]]));
}

type Sizes = { readonly [K in keyof typeof SECTIONS]: z.output<(typeof SECTIONS)[K]> } & {
  readonly projector?: string;
};

function checkSizes({ clip, llm, sam, lora, projector }: Sizes, refuse: Refuse): void {
  const multiple = (key: string, whole: number, part: number, of: string): void => {
    if (part <= 0 || whole <= 0 || whole % part !== 0) refuse(key, `a multiple of ${of}`);
  };
  const [clipHeads, llmHeads] = [clip.num_attention_heads, llm.num_attention_heads];
  const samWidth = sam.prompt_embed_dim;
  multiple('clip.hidden_size', clip.hidden_size, clipHeads, `clip.num_attention_heads (${clipHeads})`);
  multiple('clip.image_size', clip.image_size, clip.patch_size, `clip.patch_size (${clip.patch_size})`);
  multiple('llm.hidden_size', llm.hidden_size, 2 * llmHeads, `twice llm.num_attention_heads (2 · ${llmHeads})`);
  multiple('sam.image_size', sam.image_size, sam.patch_size, `sam.patch_size (${sam.patch_size})`);
  multiple('sam.embed_dim', sam.embed_dim, sam.num_heads, `sam.num_heads (${sam.num_heads})`);
  const twice = `twice sam.decoder_heads (2 · ${sam.decoder_heads})`;
  multiple('sam.prompt_embed_dim', samWidth, 2 * sam.decoder_heads, twice);
  multiple('sam.prompt_embed_dim', samWidth, 8, '8');
  multiple('sam.mask_in_chans', sam.mask_in_chans, 4, '4');
  const [first, last] = [-(clip.num_hidden_layers + 1), clip.num_hidden_layers];
  if (clip.select_layer < first || clip.select_layer > last) {
    refuse('clip.select_layer', `a whole number from ${first} to ${last}`);
  }
  for (const [i, target] of lora.targets.entries()) {
    if (PROJECTIONS.includes(target)) continue;
    const nearest = nearestName(target, PROJECTIONS);
    const hint = nearest === null ? null : `a projection of LLaMA; did you mean "${nearest}"?`;
    refuse(['lora', 'targets', i], hint ?? `one of ${PROJECTIONS.join(', ')}`);
  }
  if (projector === 'identity' && clip.hidden_size !== llm.hidden_size) {
    refuse('projector', 'another: "identity" needs clip.hidden_size = llm.hidden_size');
  }
}
