/**
 * A model on disk, opened: what it is, how large, its tokenizer, and weights that are read when they are asked for. Either
 * a folder of ours, or the files that the published code is given.
 */
import type { ModelConfig, TokenIds } from '../config.js';
import { checkTokenizer, type ModelMeta, openModelDirectory } from '../checkpoints/checkpoint-directory.js';
import { openPublishedModel, type PublishedModel } from '../systems/shared/published/model.js';
import { CONVERSATION_STYLES, type ConversationStyle } from '../data/text/conversation.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { UserError } from '../errors.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import type { FileTensors } from '../io/file-tensor.js';
import { packagedPath } from '../program.js';
import { ADDED_TOKENS, IGNORE_LABEL, IMAGE_TOKEN_ID } from '../special-tokens.js';
import { openSystem } from '../systems/index.js';
import type { System, Vocabulary } from '../systems/system.js';
import type { ModelSource, PublishedSource } from './model-source.js';

export type { ModelSource, PublishedSource };

export interface OpenedModel {
  readonly system: System;
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
export async function openModel(source: ModelSource): Promise<OpenedModel> {
  const { json, ...opened } = typeof source === 'string' ? openOwn(source) : openPublished(source);
  const system = await openSystem(json, opened.source);
  const vocabulary = system.vocabulary(opened.config, opened.meta);
  const tokenizer = openTokenizer(opened.tokenizerDir, vocabulary);
  checkTokenizer(tokenizer, vocabulary, opened.source);
  return { ...opened, system, tokenizer };
}

/** The tokenizer of a folder as a system has it. */
export function openTokenizer(
  dir: string,
  { added, addedTokenSpaces }: Pick<Vocabulary, 'added' | 'addedTokenSpaces'>,
): Tokenizer {
  const tokenizer = Tokenizer.fromDirectory(dir, { addedTokenSpaces });
  tokenizer.addTokens(added);
  return tokenizer;
}

type Opened = Omit<OpenedModel, 'system' | 'tokenizer'> & { readonly json: unknown };

function openOwn(source: string): Opened {
  const dir = resolveHubName(packagedPath(source), 'the model');
  const { json, config, meta, tensors, weightsPath } = openModelDirectory(dir);
  const conversation = CONVERSATION_STYLES.find((known) => known === meta.conversation);
  if (conversation === undefined) {
    throw new UserError(
      `Reading the model ${dir}: meta.json has the conversation "${meta.conversation}"; known are ${CONVERSATION_STYLES.join(', ')}.`,
    );
  }
  const own = { json, config, meta: { ...meta, conversation }, tensors, weightsPath };
  return { ...own, tokenizerDir: dir, source: dir, published: null };
}

function openPublished(source: PublishedSource): Opened {
  const { conversation = 'llava_v1', overrides = [], mllm, visionTower, sam, weights } = source;
  const tokensOf = (dir: string): TokenIds => specialTokens(dir);
  const published = openPublishedModel(source, tokensOf, overrides);
  const { config, tensors, tokenizerDir } = published;
  const details = { mllm, visionTower, sam, weights };
  const stage = weights === null ? 'base' : 'published';
  const meta = { conversation, stage, description: weights ?? `${mllm} and ${sam}`, details };
  const name = weights ?? mllm;
  return { json: {}, config, meta, tensors, tokenizerDir, source: name, weightsPath: name, published };
}

/** Looked up by their text: an id that is taken for granted would be another token in another vocabulary. */
function specialTokens(source: string): TokenIds {
  const tokenizer = openTokenizer(source, { added: ADDED_TOKENS, addedTokenSpaces: 'kept' });
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
