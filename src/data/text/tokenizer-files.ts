/** The JSON files next to a tokenizer in a checkpoint's folder, read and checked. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { type AddedTokenJson, type TokenizerJson, plainAddedToken } from './tokenizer-json.js';
import { isId, isObject, readObject, wrongKey } from './tokenizer-object.js';

const MODEL_TYPES: ReadonlySet<string> = new Set(['BPE', 'Unigram', 'WordPiece']);
const SETTINGS_FILES = ['tokenizer_config.json', 'special_tokens_map.json'] as const;

/** Added tokens as one file lists them, by id. */
export interface AddedTokenList {
  readonly path: string;
  readonly tokens: readonly AddedTokenJson[];
}

/** Settings in tokenizer_config.json and special_tokens_map.json. */
export interface TokenizerSettings {
  /** Name of the begin, end and unknown token; null: there is none; undefined: not said. */
  readonly bos: string | null | undefined;
  readonly eos: string | null | undefined;
  readonly unk: string | null | undefined;
  /** Whether a text begins with the begin token. */
  readonly addBos: boolean;
  /** Whether SentencePiece puts its space in front of every part between added tokens, not of the first alone. */
  readonly legacy: boolean;
  /** Texts of the special tokens that they name. */
  readonly special: ReadonlySet<string>;
}

/** @throws UserError where the file is no tokenizer. */
export function readTokenizerJson(path: string): TokenizerJson {
  const json = readObject(path);
  const model = json['model'];
  if (!isObject(model)) throw wrongKey(path, 'model', 'an object', model);
  // The library guesses at types that it does not know.
  const type = model['type'];
  if (typeof type !== 'string' || !MODEL_TYPES.has(type))
    throw wrongKey(path, 'model.type', [...MODEL_TYPES].join(', '), type);
  const vocab = model['vocab'];
  if (!isObject(vocab) && !Array.isArray(vocab))
    throw wrongKey(path, 'model.vocab', 'an object of tokens and ids', vocab);
  for (const [token, id] of Array.isArray(vocab) ? [] : Object.entries(vocab)) {
    if (!isId(id)) throw wrongKey(path, `model.vocab[${JSON.stringify(token)}]`, 'an id', id);
  }
  if (model['merges'] !== undefined && !Array.isArray(model['merges'])) {
    throw wrongKey(path, 'model.merges', 'a list', model['merges']);
  }
  const added = json['added_tokens'] ?? [];
  if (!Array.isArray(added)) throw wrongKey(path, 'added_tokens', 'a list', added);
  const tokens = added.map((token: unknown, i) => {
    if (!isObject(token)) throw wrongKey(path, `added_tokens[${i}]`, 'an object', token);
    return addedToken(path, `added_tokens[${i}]`, token, token['id']);
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

/** The lists of added_tokens.json (a map from token to id) and of tokenizer_config.json, as far as they are present. */
export function readAddedTokens(dir: string, special: ReadonlySet<string>): AddedTokenList[] {
  const lists: AddedTokenList[] = [];
  const path = join(dir, 'added_tokens.json');
  if (existsSync(path)) {
    const tokens = Object.entries(readObject(path)).map(([content, id]) => {
      if (!isId(id)) throw wrongKey(path, JSON.stringify(content), 'an id', id);
      if (content === '') throw wrongKey(path, '""', 'a token with a name', content);
      return plainAddedToken(id, content, special.has(content));
    });
    lists.push({ path, tokens: byId(tokens) });
  }
  const configPath = join(dir, 'tokenizer_config.json');
  const decoder = existsSync(configPath) ? readObject(configPath)['added_tokens_decoder'] : undefined;
  if (isObject(decoder)) {
    const tokens = Object.entries(decoder).map(([id, token]) => {
      const key = `added_tokens_decoder[${JSON.stringify(id)}]`;
      if (!isObject(token)) throw wrongKey(configPath, key, 'an object', token);
      return addedToken(configPath, key, token, Number(id));
    });
    lists.push({ path: configPath, tokens: byId(tokens) });
  }
  return lists;
}

/** @throws UserError where the two files name different tokens */
export function readSettings(dir: string): TokenizerSettings {
  const files = SETTINGS_FILES.map((name) => join(dir, name))
    .filter((path) => existsSync(path))
    .map((path) => ({ path, object: readObject(path) }));
  const nameOf = (key: string): string | null | undefined => {
    const said = files.flatMap(({ path, object }) => {
      const name = tokenName(object[key]);
      return name === undefined ? [] : [{ path, name }];
    });
    const named = said.filter((each): each is { path: string; name: string } => each.name !== null);
    const other = named.find(({ name }) => name !== named[0]?.name);
    if (other !== undefined) {
      const [first] = named as [{ path: string; name: string }];
      throw new UserError(
        `Reading the tokenizer: "${key}" is ${JSON.stringify(first.name)} in ${first.path}, but ${JSON.stringify(other.name)} ` +
          `in ${other.path}. Use the files of one checkpoint together.`,
      );
    }
    return named[0]?.name ?? (said.length > 0 ? null : undefined);
  };
  const config = files.find(({ path }) => path.endsWith('tokenizer_config.json'))?.object ?? {};
  const special = new Set<string>();
  for (const { object } of files) {
    for (const [key, value] of Object.entries(object)) if (/_tokens?$/.test(key)) addNames(value, special);
  }
  return {
    bos: nameOf('bos_token'),
    eos: nameOf('eos_token'),
    unk: nameOf('unk_token'),
    addBos: config['add_bos_token'] !== false,
    legacy: config['legacy'] !== false,
    special,
  };
}

/** A text, or an object with a "content"; an empty text names nothing. */
function tokenName(value: unknown): string | null | undefined {
  if (value === null) return null;
  const name = isObject(value) ? value['content'] : value;
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function addNames(value: unknown, into: Set<string>): void {
  for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
    const name = tokenName(item);
    if (typeof name === 'string') into.add(name);
  }
}

function byId(tokens: readonly AddedTokenJson[]): AddedTokenJson[] {
  return [...tokens].sort((a, b) => a.id - b.id);
}

function addedToken(path: string, key: string, token: Record<string, unknown>, id: unknown): AddedTokenJson {
  const { content } = token;
  if (!isId(id)) throw wrongKey(path, `${key}.id`, 'an id', id);
  if (typeof content !== 'string' || content === '') throw wrongKey(path, `${key}.content`, 'a text', content);
  const flag = (name: string): boolean => token[name] === true;
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
}
