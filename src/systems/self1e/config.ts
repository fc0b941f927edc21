/** Sizes of a model of SELF1E, as `config.json` of a folder of ours holds them. */
import type { z } from 'zod';
import { camelCase, camelKeys, count, INTERN_VIT, LLM, LORA, PROJECTIONS, VIT_PROJECTIONS } from '../../config.js';
import { nearestName } from '../../nearest-name.js';
import { alsoCheck, EDITOR_KEY, flag, integer, list, number, object, oneOf, type Read, readAs } from '../../schema.js';
import { type Refuse, text } from '../../schema.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from '../../special-tokens.js';
import { SHUFFLE } from '../../nn/pixel-shuffle.js';

const TOKENS = object({
  seg: count('[SEG]'),
  segt: count('[SEGT], a token that most published checkpoints have a row for, and nobody uses').optional(),
  image_context: count('<IMG_CONTEXT>, which stands for a vision token'),
  image_start: count('<img>'),
  image_end: count('</img>'),
  image: integer({ min: IMAGE_TOKEN_ID, max: IMAGE_TOKEN_ID }).describe('Stands where the image is inserted'),
  ignore: integer({ min: IGNORE_LABEL, max: IGNORE_LABEL }).describe('Label of a position that is not supervised'),
  pad: count('Padding; no token attends to this id, wherever it stands'),
  begin: count('<|im_start|>, with which a turn begins'),
  end: count('<|im_end|>, with which a turn ends'),
}).describe('Ids of special tokens');

/** Ways to bring the picture's features back to the encoder's resolution (supplement, Table 11). */
export const RETAINING = ['self-replication', 'scanning', 'none'] as const;
export type Retaining = (typeof RETAINING)[number];

const REFILL = object({
  retaining: oneOf(RETAINING).describe(
    "Features at the encoder's resolution: every patch four times along the channels (RFR, as published), blocks at " +
      'every place (scanning), or those of the LLM enlarged (none)',
  ),
  amplifier: flag().describe('RFA: what the LLM adds to the features is refilled before the enlargement'),
  deviation: number({ above: 0 })
    .describe("Standard deviation of the projections' start values; 0.02 as published, for widths of 1536 and 3584")
    .default(0.02),
}).describe('How pixels get their features back (supplement, Table 11)');

const SELF1E_LORA = object({
  ...LORA.shape,
  vision_targets: list(text()).describe(`Projections of InternViT that get an adapter: ${VIT_PROJECTIONS.join(', ')}`),
}).describe('LoRA adapters on LLM and vision transformer');

const LOSS = object({
  ce: number().describe('Weight of the cross-entropy of the answer'),
  bce: number().describe('Weight of the binary cross-entropy of the masks'),
  dice: number().describe('Weight of the DICE loss of the masks'),
}).describe('L = ce · CE + bce · BCE + dice · DICE');

const TILES = object({
  most: integer({ min: 1, max: 64 }).describe('Most tiles that a picture is cut into; 1: it is squashed to one'),
  thumbnail: flag().describe('Whether a picture of several tiles is seen as a whole too'),
}).describe('Dynamic tiles of pictures');

const SECTIONS = {
  vision: INTERN_VIT,
  llm: LLM,
  refill: REFILL,
  lora: SELF1E_LORA,
  tokens: TOKENS,
  loss: LOSS,
  tiles: TILES,
};
type SectionName = keyof typeof SECTIONS;
export const SELF1E_SECTIONS = Object.keys(SECTIONS) as SectionName[];

/** config.json: the system and a section per part. */
export const SELF1E_SCHEMA = object({ ...EDITOR_KEY, system: oneOf(['self1e']), ...SECTIONS })
  .superRefine(alsoCheck(checkSizes))
  .transform(({ system, vision, llm, refill, lora, tokens, loss, tiles }) => ({
    ...{ system, vision: camelKeys(vision), llm: camelKeys(llm), refill, lora: camelKeys(lora) },
    ...{ tokens: camelKeys(tokens), loss, tiles },
  }));

/** Some of the sizes: what a run changes of its start model. */
export const PARTIAL_SELF1E = object({
  system: text().describe('The system that the model is of'),
  ...{ vision: INTERN_VIT.partial(), llm: LLM.partial(), refill: REFILL.partial(), lora: SELF1E_LORA.partial() },
  ...{ tokens: TOKENS.partial(), loss: LOSS.partial(), tiles: TILES.partial() },
}).partial();

export type Self1eConfig = Read<typeof SELF1E_SCHEMA>;

/** @param source path of config.json, for errors @param at where it stands in the file @throws UserError naming the key */
export function readSelf1eConfig(json: unknown, source: string, at: readonly string[] = []): Self1eConfig {
  return readAs(SELF1E_SCHEMA, json, source, at);
}

/** JSON with the key names of the file. */
export function self1eConfigToJson(config: Self1eConfig): Record<string, unknown> {
  const sections = SELF1E_SECTIONS.map((name) => {
    const values = config[name] as Readonly<Record<string, unknown>>;
    const keys = Object.keys(SECTIONS[name].shape).filter((key) => values[camelCase(key)] !== undefined);
    return [name, Object.fromEntries(keys.map((key) => [key, values[camelCase(key)]]))] as const;
  });
  return { system: config.system, ...Object.fromEntries(sections) };
}

/** Vision tokens of a tile: blocks of patches. */
export function visionTokens({ vision: { imageSize, patchSize } }: Pick<Self1eConfig, 'vision'>): number {
  return (imageSize / patchSize / SHUFFLE) ** 2;
}

type Sizes = { readonly [K in SectionName]: z.output<(typeof SECTIONS)[K]> };

function checkSizes({ vision, llm, lora }: Sizes, refuse: Refuse): void {
  const multiple = (key: string, whole: number, part: number, of: string): void => {
    if (part <= 0 || whole <= 0 || whole % part !== 0) refuse(key, `a multiple of ${of}`);
  };
  const block = SHUFFLE * vision.patch_size;
  multiple('vision.image_size', vision.image_size, block, `twice vision.patch_size (2 · ${vision.patch_size})`);
  const visionHeads = vision.num_attention_heads;
  multiple('vision.hidden_size', vision.hidden_size, visionHeads, `vision.num_attention_heads (${visionHeads})`);
  const heads = llm.num_attention_heads;
  multiple('llm.hidden_size', llm.hidden_size, 2 * heads, `twice llm.num_attention_heads (2 · ${heads})`);
  const { num_key_value_heads: shared = heads } = llm;
  multiple('llm.num_attention_heads', heads, shared, `llm.num_key_value_heads (${shared})`);
  checkTargets('targets', lora.targets, PROJECTIONS, refuse);
  checkTargets('vision_targets', lora.vision_targets, VIT_PROJECTIONS, refuse);
}

function checkTargets(key: string, targets: readonly string[], known: readonly string[], refuse: Refuse): void {
  for (const [i, target] of targets.entries()) {
    if (known.includes(target)) continue;
    const nearest = nearestName(target, known);
    const expected = nearest === null ? `one of ${known.join(', ')}` : `a projection; did you mean "${nearest}"?`;
    refuse(['lora', key, i], expected);
  }
}
