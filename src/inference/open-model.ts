/**
 * A model on disk, opened: what it is, how large, its tokenizer, and weights that are read when they are asked for. Either
 * a folder of ours, or the files that the published code is given.
 */
import { join } from 'node:path';
import { type ModelConfig, modelConfigToJson, type TokenIds } from '../systems/shared/model-config.js';
import { checkTokenizer, type ModelMeta, openModelDirectory } from '../checkpoints/checkpoint-directory.js';
import { openPublishedModel, type PublishedModel } from '../systems/shared/published/model.js';
import { CONVERSATION_STYLES, type ConversationStyle } from '../data/text/conversation.js';
import { Tokenizer } from '../data/text/tokenizer.js';
import { UserError } from '../errors.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import type { FileTensors } from '../io/file-tensor.js';
import { packagedPath } from '../program.js';
import { PROMPT } from '../systems/shared/published/config.js';
import { publishedWords, specialTokens } from '../systems/shared/published/tokens.js';
import { openSystem } from '../systems/index.js';
import type { System, Vocabulary } from '../systems/system.js';
import type { ModelSource, PublishedSource } from './model-source.js';

export type { ModelSource, PublishedSource };

export interface OpenedModel {
  readonly system: System;
  /** As the system reads config.json: so far every system has LLaVA and SAM. */
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
  const { json, configPath, metaPath, ...opened } =
    typeof source === 'string' ? openOwn(source) : openPublished(source);
  const system = await openSystem(json, configPath);
  const { tensors, weightsPath } = opened;
  const weights = { names: tensors.keys(), source: weightsPath };
  const config = system.config.parse(json, configPath, weights) as ModelConfig;
  const vocabulary = system.vocabulary(config, { ...opened.meta, source: metaPath });
  const tokenizer = openTokenizer(opened.tokenizerDir, vocabulary);
  checkTokenizer(tokenizer, vocabulary, opened.source);
  return { ...opened, system, config, tokenizer };
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

type Opened = Omit<OpenedModel, 'system' | 'config' | 'tokenizer'> & {
  /** Value of config.json, and where it and the model's description stand. */
  readonly json: unknown;
  readonly configPath: string;
  readonly metaPath: string;
};

function openOwn(source: string): Opened {
  const dir = resolveHubName(packagedPath(source), 'the model');
  const { meta, ...opened } = openModelDirectory(dir);
  const conversation = CONVERSATION_STYLES.find((known) => known === meta.conversation);
  if (conversation === undefined) {
    throw new UserError(
      `Reading the model ${dir}: meta.json has the conversation "${meta.conversation}"; known are ${CONVERSATION_STYLES.join(', ')}.`,
    );
  }
  const own = { ...opened, meta: { ...meta, conversation }, metaPath: join(dir, 'meta.json') };
  return { ...own, tokenizerDir: dir, source: dir, published: null };
}

function openPublished(source: PublishedSource): Opened {
  const { overrides = [], mllm, visionTower, sam, weights } = source;
  const system = source.system ?? (sam === null ? 'lisa' : 'gsva');
  const words = publishedWords(system, resolveHubName(mllm, 'the multimodal LLM'));
  const tokensOf = (dir: string): TokenIds => specialTokens(dir, words.tokens);
  const published = openPublishedModel(source, tokensOf, overrides);
  const { config, tensors, tokenizerDir } = published;
  const details = { mllm, visionTower, sam, weights };
  const stage = weights !== null || tensors.has(PROMPT) ? 'published' : 'base';
  const description = weights ?? (sam === null ? mllm : `${mllm} and ${sam}`);
  const meta = { conversation: source.conversation ?? words.conversation, stage, description, details };
  const name = weights ?? mllm;
  const [json, paths] = [
    { ...modelConfigToJson(config), system },
    { configPath: name, metaPath: name, weightsPath: name },
  ];
  return { json, ...paths, meta, tensors, tokenizerDir, source: name, published };
}
