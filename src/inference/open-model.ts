/**
 * A model on disk, opened: what it is, how large, its tokenizer, and weights that are read when they are asked for. Either
 * a folder of ours, or the files that the published code is given.
 */
import { type ModelConfig, segIds, type TokenIds } from '../config.js';
import { CONVERSATION_STYLES, type ConversationStyle } from '../data/text/conversation.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { UserError } from '../errors.js';
import type { FileTensors } from '../io/file-tensor.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import { checkTokenizer, type ModelMeta, openModelDirectory } from '../checkpoints/checkpoint-directory.js';
import { openPublishedModel, type PublishedModel } from '../systems/shared/published/model.js';
import { packagedPath } from '../program.js';
import { ADDED_TOKENS, addedTokens, IGNORE_LABEL, IMAGE_TOKEN_ID } from '../special-tokens.js';
import type { ModelSource, PublishedSource } from './model-source.js';

export type { ModelSource, PublishedSource };

export interface OpenedModel {
  readonly config: ModelConfig;
  readonly meta: ModelMeta & { readonly conversation: ConversationStyle };
  /** By our names, with or without peft's prefix. */
  readonly tensors: FileTensors;
  /** With the added tokens. */
  readonly tokenizer: Tokenizer;
  readonly tokenizerDir: string;
  /** For errors: the model, and the file that its weights are in. */
  readonly source: string;
  readonly weightsPath: string;
  /** How the files were put together; null for a folder of ours. */
  readonly published: PublishedModel | null;
}

/** @throws UserError that names the file and what is wrong with it */
export function openModel(source: ModelSource): OpenedModel {
  const opened = typeof source === 'string' ? openOwn(source) : openPublished(source);
  checkTokenizer(opened.tokenizer, opened.config, opened.source);
  return opened;
}

function openOwn(source: string): OpenedModel {
  const dir = resolveHubName(packagedPath(source), 'the model');
  const { config, meta, tensors, weightsPath } = openModelDirectory(dir);
  const conversation = CONVERSATION_STYLES.find((known) => known === meta.conversation);
  if (conversation === undefined) {
    throw new UserError(
      `Reading the model ${dir}: meta.json has the conversation "${meta.conversation}"; known are ${CONVERSATION_STYLES.join(', ')}.`,
    );
  }
  const tokenizer = readTokenizer(dir, segIds(config.tokens).length);
  return {
    config,
    meta: { ...meta, conversation },
    tensors,
    tokenizer,
    tokenizerDir: dir,
    source: dir,
    weightsPath,
    published: null,
  };
}

function openPublished(source: PublishedSource): OpenedModel {
  const { conversation = 'llava_v1', overrides = [], mllm, visionTower, sam, weights } = source;
  const tokensOf = (dir: string): TokenIds => specialTokens(readTokenizer(dir), dir);
  const published = openPublishedModel(source, tokensOf, overrides);
  const { config, tensors, tokenizerDir } = published;
  const tokenizer = readTokenizer(tokenizerDir);
  const details = { mllm, visionTower, sam, weights };
  const stage = weights === null ? 'base' : 'published';
  const meta = { conversation, stage, description: weights ?? `${mllm} and ${sam}`, details };
  const name = weights ?? mllm;
  return { config, meta, tensors, tokenizer, tokenizerDir, source: name, weightsPath: name, published };
}

function readTokenizer(dir: string, segTokens = 1): Tokenizer {
  const tokenizer = Tokenizer.fromDirectory(dir);
  tokenizer.addTokens(addedTokens(segTokens));
  return tokenizer;
}

/** Looked up by their text: an id that is taken for granted would be another token in another vocabulary. */
function specialTokens(tokenizer: Tokenizer, source: string): TokenIds {
  const idOf = (token: string): number => {
    const id = tokenizer.tokenId(token);
    if (id !== undefined) return id;
    throw new UserError(`Reading the tokenizer of ${source}: it does not know ${token}, not even after adding it.`);
  };
  const [seg, rej, imStart, imEnd] = ADDED_TOKENS;
  return {
    seg: idOf(seg),
    rej: idOf(rej),
    imStart: idOf(imStart),
    imEnd: idOf(imEnd),
    image: IMAGE_TOKEN_ID,
    ignore: IGNORE_LABEL,
    pad: tokenizer.padId,
    bos: tokenizer.bosId,
    eos: tokenizer.eosId,
  };
}
