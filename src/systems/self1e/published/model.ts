/**
 * A SELF1E put together from published files: a folder of InternVL3 or of SELF1E (its adapters merged), and perhaps a
 * training checkpoint, which replaces what it holds. Nothing is read here but headers and configurations.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECTIONS as LLM_PROJECTIONS, VIT_PROJECTIONS } from '../../../config.js';
import { readTokenizer } from '../../../data/read-tokenizer.js';
import { UserError } from '../../../errors.js';
import { resolveHubName } from '../../../io/cache/hub-cache.js';
import type { FileTensor, FileTensors } from '../../../io/file-tensor.js';
import { JsonReader } from '../../../io/json/json-reader.js';
import { gsvaCommand } from '../../../command-name.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from '../../../special-tokens.js';
import type { PublishedModel, PublishedSource } from '../../published-files.js';
import { readAdapter } from '../../shared/published/adapter.js';
import { overridden } from '../../shared/published/overrides.js';
import { addSelf1eTokens, type Self1eIds, SELF1E_TOKENS } from '../tokens.js';
import { type InternVlSizes, internVlSizes } from './config.js';
import { EMBEDDING, HEAD, PROJECTIONS } from './names.js';
import { drawProjections, growVocabulary } from './start.js';
import { addPart } from './tensors.js';

/** The published recipe: LoRA of every Linear of the LLM and of the ViT, α = 2r, dropout 0.05. */
const LORA = { r: 128, dropout: 0.05 };
const LOSS = { ce: 1, bce: 2, dice: 0.5 };
/** Padding, which the batch builder of the published code writes; no token attends to it. */
const PAD = 0;

/** @throws UserError naming the file, and the tensor or key, at fault */
export function openSelf1e(source: PublishedSource): PublishedModel {
  const { overrides = [], visionTower, sam } = source;
  const folder = resolveHubName(source.mllm, 'the multimodal LLM');
  const others = Object.entries({ visionTower, sam }).flatMap(([name, path]) => (path === null ? [] : [name]));
  if (others.length > 0) {
    throw new UserError(`${folder}: SELF1E has its own encoder and no SAM. Leave out ${others.join(' and ')}.`);
  }
  const configPath = join(folder, 'config.json');
  if (!existsSync(configPath)) {
    throw new UserError(
      `Reading ${folder}: it has no config.json. Name the folder of InternVL3 or SELF1E, with config.json, weights and tokenizer.`,
    );
  }
  const root = JsonReader.open(configPath, "InternVL's sizes");
  const tensors = new Map<string, FileTensor>();
  const parts = [addPart('mllm', folder, root, tensors)];
  const weights = source.weights === null ? null : resolveHubName(source.weights, "SELF1E's weights");
  if (weights !== null) parts.push(addPart('weights', weights, null, tensors));
  const name = weights ?? folder;
  const sizes = internVlSizes(root, tensors);
  if (sizes.isTied) tieEmbeddings(tensors);
  const ids = tokenIds(folder, sizes, root);
  const isTrained = (tensors.get(EMBEDDING)?.shape[0] ?? 0) > ids.seg;
  const size = Math.max(ids.seg, ids.unused) + 1;
  const grown = growVocabulary(tensors, { seg: ids.seg, segt: ids.unused, size }, name);
  const drawn = drawProjections(tensors, sizes.llm.hiddenSize, isTrained, name);
  const lora = loraSection(tensors, weights);
  const json = overridden(configJson({ ...sizes, llm: { ...sizes.llm, vocabSize: size } }, ids, lora), overrides);
  const meta = {
    conversation: source.conversation ?? 'internvl2_5',
    stage: drawn.length > 0 ? 'base' : 'published',
    description: name,
    details: { mllm: folder, weights },
  } as const;
  const built = { json, meta, tensors, parts, grown, tokenizerDir: folder, source: name };
  return drawn.length === 0 ? built : { ...built, drawn, lacks: lackText(drawn.length) };
}

function lackText(count: number): string {
  return (
    `it is a base InternVL3 without the projections of SELF1E (${PROJECTIONS.join(', ')}: expected ${count} tensors, found ` +
    'none), so it draws no masks. Train it first, from a folder that ' +
    `${gsvaCommand('convert')} makes of it, or name a checkpoint of SELF1E`
  );
}

/** Tied embeddings are saved once. */
function tieEmbeddings(tensors: Map<string, FileTensor>): void {
  const embedding = tensors.get(EMBEDDING);
  if (embedding !== undefined && !tensors.has(HEAD)) tensors.set(HEAD, embedding);
}

function tokenIds(folder: string, { imageTokenId }: InternVlSizes, root: JsonReader): Self1eIds {
  const tokenizer = readTokenizer(folder, { addedTokenSpaces: SELF1E_TOKENS.addedTokenSpaces });
  const ids = addSelf1eTokens(tokenizer, folder);
  if (imageTokenId !== null && imageTokenId !== ids.imageContext) {
    root.key('image_token_id').fail(`${ids.imageContext}, which its tokenizer gives to <IMG_CONTEXT>`);
  }
  return ids;
}

interface LoraSection {
  readonly r: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly targets: readonly string[];
  readonly vision_targets: readonly string[];
}

/** By the shapes of the adapters; r = 0 where they are merged. No file but peft's own says α: the recipe's is 2r. */
function loraSection(tensors: FileTensors, weights: string | null): LoraSection {
  const adapters = [...tensors].flatMap(([name, { shape }]) => {
    const [, place = ''] = /^(.*)\.lora_A\./.exec(name) ?? [];
    return place === '' ? [] : [{ name, place, rank: shape[0] ?? 0 }];
  });
  const [first] = adapters;
  if (first === undefined) {
    return {
      r: 0,
      alpha: 2 * LORA.r,
      dropout: LORA.dropout,
      targets: LLM_PROJECTIONS,
      vision_targets: VIT_PROJECTIONS,
    };
  }
  const other = adapters.find(({ rank }) => rank !== first.rank);
  if (other !== undefined) {
    throw new UserError(
      `"${other.name}" is of a LoRA of rank ${other.rank}, "${first.name}" of rank ${first.rank}; expected one rank.`,
    );
  }
  const said = weights === null ? null : readAdapter(weights);
  const targetsOf = (part: string, known: readonly string[]): string[] =>
    known.filter((target) => adapters.some(({ place }) => place.startsWith(part) && place.endsWith(`.${target}`)));
  return {
    r: first.rank,
    alpha: said?.alpha ?? 2 * first.rank,
    dropout: said?.dropout ?? LORA.dropout,
    targets: targetsOf('language_model.', LLM_PROJECTIONS),
    vision_targets: targetsOf('vision_model.', VIT_PROJECTIONS),
  };
}

/** Value of config.json as a folder of ours has it. */
function configJson({ vision, llm }: InternVlSizes, ids: Self1eIds, lora: LoraSection): Record<string, unknown> {
  return {
    system: 'self1e',
    vision: {
      hidden_size: vision.hiddenSize,
      intermediate_size: vision.intermediateSize,
      num_hidden_layers: vision.numHiddenLayers,
      num_attention_heads: vision.numAttentionHeads,
      image_size: vision.imageSize,
      patch_size: vision.patchSize,
      layer_norm_eps: vision.layerNormEps,
    },
    llm: {
      vocab_size: llm.vocabSize,
      hidden_size: llm.hiddenSize,
      intermediate_size: llm.intermediateSize,
      num_hidden_layers: llm.numHiddenLayers,
      num_attention_heads: llm.numAttentionHeads,
      num_key_value_heads: llm.numKeyValueHeads,
      attention_bias: llm.attentionBias,
      max_position_embeddings: llm.maxPositionEmbeddings,
      rms_norm_eps: llm.rmsNormEps,
      rope_theta: llm.ropeTheta,
      ...(llm.ropeFrequencies === undefined ? {} : { rope_frequencies: llm.ropeFrequencies }),
    },
    refill: { retaining: 'self-replication', amplifier: true },
    lora,
    tokens: {
      seg: ids.seg,
      segt: ids.unused,
      image_context: ids.imageContext,
      image_start: ids.pictureStart,
      image_end: ids.pictureEnd,
      image: IMAGE_TOKEN_ID,
      ignore: IGNORE_LABEL,
      pad: PAD,
      begin: ids.turnStart,
      end: ids.turnEnd,
    },
    loss: LOSS,
    tiles: { most: 1, thumbnail: false },
  };
}
