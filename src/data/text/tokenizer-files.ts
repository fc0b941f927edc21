/** The JSON files that stand beside a tokenizer in a checkpoint's folder, read and checked. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { UserError, messageOf } from '../../errors.js';
import type { TokenizerJson } from './tokenizer-json.js';

/** Larger than any published tokenizer.json (about 35 MB). */
const MAX_JSON_BYTES = 128 * 1024 * 1024;
const MODEL_TYPES: ReadonlySet<string> = new Set(['BPE', 'Unigram', 'WordPiece']);
const MAX_VOCABULARY = 2_000_000;

/** Names of the tokens that every LLaMA vocabulary has. */
export interface SpecialNames {
  readonly bos: string;
  readonly eos: string;
  readonly unk: string;
}

export interface AddedTokenFile {
  readonly path: string;
  /** In the order of their ids. */
  readonly tokens: readonly { readonly content: string; readonly id: number }[];
}

/** @throws UserError where the file is no tokenizer. */
export function readTokenizerJson(path: string): TokenizerJson {
  const json = readObject(path);
  const model = json['model'];
  if (!isObject(model)) throw wrong(path, 'model', 'an object', model);
  // The library guesses at types that it does not know.
  const type = model['type'];
  if (typeof type !== 'string' || !MODEL_TYPES.has(type))
    throw wrong(path, 'model.type', [...MODEL_TYPES].join(', '), type);
  const vocab = model['vocab'];
  if (!isObject(vocab) && !Array.isArray(vocab)) throw wrong(path, 'model.vocab', 'an object of tokens and ids', vocab);
  for (const [token, id] of Array.isArray(vocab) ? [] : Object.entries(vocab)) {
    if (!isId(id)) throw wrong(path, `model.vocab[${JSON.stringify(token)}]`, 'an id', id);
  }
  if (model['merges'] !== undefined && !Array.isArray(model['merges'])) {
    throw wrong(path, 'model.merges', 'a list', model['merges']);
  }
  const added = json['added_tokens'] ?? [];
  if (!Array.isArray(added)) throw wrong(path, 'added_tokens', 'a list', added);
  const tokens = added.map((token: unknown, i) => {
    if (!isObject(token)) throw wrong(path, `added_tokens[${i}]`, 'an object', token);
    const { id, content } = token;
    if (!isId(id)) throw wrong(path, `added_tokens[${i}].id`, 'an id', id);
    if (typeof content !== 'string' || content === '')
      throw wrong(path, `added_tokens[${i}].content`, 'a text', content);
    const flag = (key: string): boolean => token[key] === true;
    const special = flag('special');
    const normalized = typeof token['normalized'] === 'boolean' ? token['normalized'] : !special;
    return {
      id,
      content,
      special,
      normalized,
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
      single_word: flag('single_word'),
    };
  });
  const part = (key: string): unknown => json[key] ?? null;
  return {
    added_tokens: tokens,
    normalizer: part('normalizer'),
    pre_tokenizer: part('pre_tokenizer'),
    post_processor: part('post_processor'),
    decoder: part('decoder'),
    model: { ...model, vocab },
  };
}

/** Tokens of `added_tokens.json` (a map from token to id); none where the file is missing. */
export function readAddedTokens(dir: string): AddedTokenFile {
  const path = join(dir, 'added_tokens.json');
  if (!existsSync(path)) return { path, tokens: [] };
  const tokens = Object.entries(readObject(path)).map(([content, id]) => {
    if (!isId(id)) throw wrong(path, JSON.stringify(content), 'an id', id);
    if (content === '') throw wrong(path, '""', 'a token with a name', content);
    return { content, id };
  });
  return { path, tokens: tokens.sort((a, b) => a.id - b.id) };
}

/** Names of begin, end and unknown token: tokenizer_config.json before special_tokens_map.json before LLaMA's own. */
export function readSpecialNames(dir: string): SpecialNames {
  const objects = ['tokenizer_config.json', 'special_tokens_map.json']
    .map((name) => join(dir, name))
    .filter((path) => existsSync(path))
    .map((path) => readObject(path));
  const nameOf = (key: string, fallback: string): string => {
    for (const object of objects) {
      const value = object[key];
      if (typeof value === 'string') return value;
      if (isObject(value) && typeof value['content'] === 'string') return value['content'];
    }
    return fallback;
  };
  return { bos: nameOf('bos_token', '<s>'), eos: nameOf('eos_token', '</s>'), unk: nameOf('unk_token', '<unk>') };
}

function readObject(path: string): Record<string, unknown> {
  let json: unknown;
  try {
    const { size } = statSync(path);
    if (size > MAX_JSON_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_JSON_BYTES}`);
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UserError(`Reading the tokenizer: ${path} cannot be read as JSON (${messageOf(error)}). Copy it again.`);
  }
  if (!isObject(json)) throw wrong(path, 'the top level', 'an object', json);
  return json;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < MAX_VOCABULARY;
}

function wrong(path: string, key: string, expected: string, found: unknown): UserError {
  return new UserError(
    `Reading the tokenizer: ${key} in ${path} should be ${expected}, but is ${found === undefined ? 'missing' : JSON.stringify(found).slice(0, 60)}. ` +
      'Copy the file again from the checkpoint.',
  );
}
