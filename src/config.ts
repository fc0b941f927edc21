/**
 * The sizes of a GSVA model, as `config.json` of a checkpoint holds them (snake_case there, as published).
 * Reading is strict: an unknown key is an error that names the nearest known one, a missing key names itself.
 */
import { UserError } from './errors.js';
import { nearestName } from './nearest-name.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from './special-tokens.js';

/** F_V1: CLIP's vision transformer. */
export interface ClipConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Side of the square input in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly hiddenAct: string;
  readonly layerNormEps: number;
  /** Index into the hidden states (embedding first): -2 is the output of the last layer but one. */
  readonly selectLayer: number;
}

/** F_LLM: LLaMA. */
export interface LlmConfig {
  /** Rows of the embedding, the added tokens included. */
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly maxPositionEmbeddings: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
}

/** F_V2 and F_mask: SAM. */
export interface SamConfig {
  /** Longest side of the padded square input in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly embedDim: number;
  readonly depth: number;
  readonly numHeads: number;
  readonly globalAttnIndexes: readonly number[];
  readonly windowSize: number;
  readonly promptEmbedDim: number;
  readonly decoderDepth: number;
  readonly decoderMlpDim: number;
  readonly decoderHeads: number;
  readonly iouHeadHiddenDim: number;
  readonly maskInChans: number;
}

export interface LoraConfig {
  /** Rank; 0 means no LoRA. */
  readonly r: number;
  readonly alpha: number;
  /** Projections of LLaMA that get an adapter, by name. */
  readonly targets: readonly string[];
  readonly dropout: number;
}

/** Ids of special tokens. */
export interface TokenIds {
  readonly seg: number;
  /** Of systems that refuse by a token. */
  readonly rej?: number;
  /** Of the first LISA, which adds it behind [SEG]. */
  readonly imPatch?: number;
  readonly imStart: number;
  readonly imEnd: number;
  readonly image: number;
  readonly ignore: number;
  readonly pad: number;
  readonly bos: number;
  readonly eos: number;
  /** The other [SEG] of a model with individual embeddings (paper, Table 10). */
  readonly moreSegs?: readonly number[];
}

/** Every [SEG]: the n-th expression of a question is answered with the n-th of them, in turn. */
export function segIds({ seg, moreSegs = [] }: TokenIds): readonly number[] {
  return [seg, ...moreSegs];
}

/** The [SEG] of the expression at a place of the question. */
export function segIdAt(place: number, tokens: TokenIds): number {
  const ids = segIds(tokens);
  return ids[place % ids.length] as number;
}

/** Weights of L = ce·CE + bce·BCE + dice·DICE. */
export interface LossWeights {
  readonly ce: number;
  readonly bce: number;
  readonly dice: number;
}

export type ProjectorType = 'linear' | 'mlp2x_gelu' | 'identity';

export interface ModelConfig {
  readonly clip: ClipConfig;
  readonly projector: ProjectorType;
  readonly llm: LlmConfig;
  readonly sam: SamConfig;
  readonly lora: LoraConfig;
  readonly tokens: TokenIds;
  readonly loss: LossWeights;
}

type Kind = 'number' | 'count' | 'string' | 'counts' | 'strings';
type Section = Readonly<Record<string, Kind>>;

const SECTIONS: Readonly<Record<string, Section>> = {
  clip: {
    hidden_size: 'count',
    intermediate_size: 'count',
    num_hidden_layers: 'count',
    num_attention_heads: 'count',
    image_size: 'count',
    patch_size: 'count',
    hidden_act: 'string',
    layer_norm_eps: 'number',
    select_layer: 'number',
  },
  llm: {
    vocab_size: 'count',
    hidden_size: 'count',
    intermediate_size: 'count',
    num_hidden_layers: 'count',
    num_attention_heads: 'count',
    max_position_embeddings: 'count',
    rms_norm_eps: 'number',
    rope_theta: 'number',
  },
  sam: {
    image_size: 'count',
    patch_size: 'count',
    embed_dim: 'count',
    depth: 'count',
    num_heads: 'count',
    global_attn_indexes: 'counts',
    window_size: 'count',
    prompt_embed_dim: 'count',
    decoder_depth: 'count',
    decoder_mlp_dim: 'count',
    decoder_heads: 'count',
    iou_head_hidden_dim: 'count',
    mask_in_chans: 'count',
  },
  lora: { r: 'count', alpha: 'number', targets: 'strings', dropout: 'number' },
  tokens: {
    seg: 'count',
    rej: 'count',
    im_patch: 'count',
    im_start: 'count',
    im_end: 'count',
    image: 'number',
    ignore: 'number',
    pad: 'count',
    bos: 'count',
    eos: 'count',
    more_segs: 'counts',
  },
  loss: { ce: 'number', bce: 'number', dice: 'number' },
};

/** Keys of a section that may be left out. */
const OPTIONAL: readonly string[] = ['tokens.more_segs', 'tokens.rej', 'tokens.im_patch'];

/** The linear layers of a LLaMA decoder layer. */
const PROJECTIONS: readonly string[] = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const PROJECTORS: readonly ProjectorType[] = ['linear', 'mlp2x_gelu', 'identity'];

/**
 * Reads the model's sizes from parsed JSON.
 * @param json the value of `config.json`
 * @param source the file's path, for errors
 * @throws UserError naming the key
 */
export function parseModelConfig(json: unknown, source: string): ModelConfig {
  const root = asObject(json, source, 'the file');
  checkKeys(root, [...Object.keys(SECTIONS), 'projector', 'system'], source, '');
  const sections: Record<string, unknown> = {};
  for (const [name, section] of Object.entries(SECTIONS))
    sections[name] = parseSection(root[name], name, section, source);
  const projector = root['projector'] ?? 'linear';
  if (!PROJECTORS.some((known) => known === projector)) {
    throw new UserError(
      `${source}: key "projector" is ${JSON.stringify(projector)}; known are ${PROJECTORS.join(', ')}`,
    );
  }
  const config = { ...sections, projector } as unknown as ModelConfig;
  checkSizes(config, source);
  return config;
}

/** The inverse of `parseModelConfig`: JSON with the published key names. */
export function modelConfigToJson(config: ModelConfig): Record<string, unknown> {
  const out: Record<string, unknown> = { projector: config.projector };
  for (const [name, section] of Object.entries(SECTIONS)) {
    const values = config[name as keyof ModelConfig] as unknown as Record<string, unknown>;
    const written = Object.keys(section).filter((key) => values[camelCase(key)] !== undefined);
    out[name] = Object.fromEntries(written.map((key) => [key, values[camelCase(key)]]));
  }
  return out;
}

/** Refuses keys that are not known and names the nearest that is. */
export function checkKeys(object: object, known: readonly string[], source: string, prefix: string): void {
  for (const key of Object.keys(object)) {
    if (known.includes(key)) continue;
    const nearest = nearestName(key, known);
    const hint = nearest === null ? `known are ${known.join(', ')}` : `did you mean "${prefix}${nearest}"?`;
    throw new UserError(`${source}: unknown key "${prefix}${key}"; ${hint}`);
  }
}

function parseSection(value: unknown, name: string, section: Section, source: string): Record<string, unknown> {
  const object = asObject(value, source, `key "${name}"`);
  checkKeys(object, Object.keys(section), source, `${name}.`);
  const out: Record<string, unknown> = {};
  for (const [key, kind] of Object.entries(section)) {
    const found = object[key];
    if (found === undefined && OPTIONAL.includes(`${name}.${key}`)) continue;
    if (!isKind(found, kind)) {
      const what = found === undefined ? 'is missing' : `is ${JSON.stringify(found)}`;
      throw new UserError(`${source}: key "${name}.${key}" ${what}; expected ${EXPECTED[kind]}`);
    }
    out[camelCase(key)] = found;
  }
  return out;
}

const EXPECTED: Readonly<Record<Kind, string>> = {
  number: 'a number',
  count: 'a whole number from 0 up',
  string: 'a string',
  counts: 'a list of whole numbers from 0 up',
  strings: 'a list of strings',
};

function isKind(value: unknown, kind: Kind): boolean {
  if (kind === 'number') return typeof value === 'number' && Number.isFinite(value);
  if (kind === 'count') return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  if (kind === 'string') return typeof value === 'string';
  const element = kind === 'counts' ? 'count' : 'string';
  return Array.isArray(value) && value.every((item) => isKind(item, element));
}

function checkSizes(config: ModelConfig, source: string): void {
  const { clip, llm, sam } = config;
  const divides = (whole: number, part: number, what: string): void => {
    if (part <= 0 || !Number.isInteger(part) || !Number.isInteger(whole) || whole <= 0 || whole % part !== 0) {
      throw new UserError(`${source}: ${what}: ${whole} is not a multiple of ${part}`);
    }
  };
  divides(clip.hiddenSize, clip.numAttentionHeads, 'clip.hidden_size by clip.num_attention_heads');
  divides(clip.imageSize, clip.patchSize, 'clip.image_size by clip.patch_size');
  divides(llm.hiddenSize, 2 * llm.numAttentionHeads, 'llm.hidden_size by twice llm.num_attention_heads');
  divides(sam.imageSize, sam.patchSize, 'sam.image_size by sam.patch_size');
  divides(sam.embedDim, sam.numHeads, 'sam.embed_dim by sam.num_heads');
  divides(sam.promptEmbedDim, 2 * sam.decoderHeads, 'sam.prompt_embed_dim by twice sam.decoder_heads');
  divides(sam.promptEmbedDim, 8, 'sam.prompt_embed_dim by 8');
  divides(sam.maskInChans, 4, 'sam.mask_in_chans by 4');
  const within = (key: string, value: number, least: number, most: number): void => {
    if (value >= least && value <= most) return;
    throw new UserError(`${source}: key "${key}" is ${value}; expected a number from ${least} to ${most}`);
  };
  within('clip.select_layer', clip.selectLayer, -(clip.numHiddenLayers + 1), clip.numHiddenLayers);
  within('lora.dropout', config.lora.dropout, 0, 0.999);
  within('tokens.image', config.tokens.image, IMAGE_TOKEN_ID, IMAGE_TOKEN_ID);
  within('tokens.ignore', config.tokens.ignore, IGNORE_LABEL, IGNORE_LABEL);
  for (const target of config.lora.targets) {
    if (PROJECTIONS.includes(target)) continue;
    const nearest = nearestName(target, PROJECTIONS);
    const hint = nearest === null ? `known are ${PROJECTIONS.join(', ')}` : `did you mean "${nearest}"?`;
    throw new UserError(`${source}: key "lora.targets" names the unknown projection "${target}"; ${hint}`);
  }
  if (config.projector === 'identity' && clip.hiddenSize !== llm.hiddenSize) {
    throw new UserError(`${source}: projector "identity" needs clip.hidden_size = llm.hidden_size`);
  }
}

function asObject(value: unknown, source: string, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UserError(`${source}: ${what} ${value === undefined ? 'is missing' : 'is not an object'}; expected { … }`);
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
