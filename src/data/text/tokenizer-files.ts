/** The JSON files next to a tokenizer in a checkpoint's folder, read and checked. */
import { messageOf, UserError } from '../../errors.js';
import { describeStandIn, HEAD_BYTES } from '../../io/file-kind.js';

/** Larger than any published tokenizer.json (about 35 MB). */
const MAX_JSON_BYTES = 128 * 1024 * 1024;
const MAX_VOCABULARY = 2_000_000;

/** Files of a folder by name, on disk or, in a browser, in memory. */
export interface NamedFiles {
  readonly folder: string;
  /** Path of a file, for errors. */
  readonly path: (name: string) => string;
  /** Bytes of a file; null where it is absent. @throws Error where it cannot be read or has more than `most` bytes */
  readonly read: (name: string, most: number) => Uint8Array | null;
}

/** Bytes of a file; null where it is absent. @throws UserError where it cannot be read or is something else */
export function readNamed(files: NamedFiles, name: string, most = MAX_JSON_BYTES): Uint8Array | null {
  const unreadable = (why: string): UserError =>
    new UserError(`Reading the tokenizer: ${files.path(name)} cannot be read${why}`);
  let bytes: Uint8Array | null;
  try {
    bytes = files.read(name, most);
  } catch (error) {
    throw unreadable(` (${messageOf(error)}). Copy it again from the checkpoint.`);
  }
  const standIn = bytes === null ? null : describeStandIn(bytes.subarray(0, HEAD_BYTES), name.endsWith('.json'));
  if (standIn !== null) throw unreadable(`: ${standIn}.`);
  return bytes;
}

/** Object that a file holds; null where the file is absent. */
function readObject(files: NamedFiles, name: string): Record<string, unknown> | null {
  const bytes = readNamed(files, name);
  if (bytes === null) return null;
  const path = files.path(name);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new UserError(`Reading the tokenizer: ${path} cannot be read as JSON (${messageOf(error)}). Copy it again.`);
  }
  if (!isObject(json)) throw wrongKey(path, 'the top level', 'an object', json);
  return json;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < MAX_VOCABULARY;
}

function wrongKey(path: string, key: string, expected: string, found: unknown): UserError {
  return new UserError(
    `Reading the tokenizer: ${key} in ${path} should be ${expected}, but is ${found === undefined ? 'missing' : JSON.stringify(found).slice(0, 60)}. ` +
      'Copy the file again from the checkpoint.',
  );
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly single_word: boolean;
}

/** The parts that the library insists on; the rest is passed through. */
export interface TokenizerJson {
  readonly added_tokens: readonly AddedTokenJson[];
  readonly normalizer: unknown;
  readonly pre_tokenizer: unknown;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly model: { readonly vocab: object; readonly [key: string]: unknown };
}

/** An added token as LLaMA's slow tokenizer has it: matched as it stands, spaces around it untouched. */
export function plainAddedToken(id: number, content: string, special: boolean): AddedTokenJson {
  return { id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false };
}

/** One more than the largest id in use: the rows that an embedding needs. */
export function vocabularySize(json: TokenizerJson): number {
  const { vocab } = json.model;
  let size = Array.isArray(vocab) ? vocab.length : 0;
  // Unigram models list [piece, score] by id; all others map pieces to ids.
  for (const id of Array.isArray(vocab) ? [] : Object.values(vocab))
    if (typeof id === 'number') size = Math.max(size, id + 1);
  for (const { id } of json.added_tokens) size = Math.max(size, id + 1);
  return size;
}

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
export function readTokenizerJson(files: NamedFiles): TokenizerJson | null {
  const [path, json] = [files.path('tokenizer.json'), readObject(files, 'tokenizer.json')];
  if (json === null) return null;
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
  const { normalizer = null, pre_tokenizer = null, post_processor = null, decoder = null } = json;
  return { added_tokens: tokens, normalizer, pre_tokenizer, post_processor, decoder, model: { ...model, vocab } };
}

/** The lists of added_tokens.json (a map from token to id) and of tokenizer_config.json, as far as they are present. */
export function readAddedTokens(files: NamedFiles, special: ReadonlySet<string>): AddedTokenList[] {
  const lists: AddedTokenList[] = [];
  const [path, added] = [files.path('added_tokens.json'), readObject(files, 'added_tokens.json')];
  if (added !== null) {
    const tokens = Object.entries(added).map(([content, id]) => {
      if (!isId(id)) throw wrongKey(path, JSON.stringify(content), 'an id', id);
      if (content === '') throw wrongKey(path, '""', 'a token with a name', content);
      return plainAddedToken(id, content, special.has(content));
    });
    lists.push({ path, tokens: byId(tokens) });
  }
  const configPath = files.path('tokenizer_config.json');
  const decoder = readObject(files, 'tokenizer_config.json')?.['added_tokens_decoder'];
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
export function readSettings(files: NamedFiles): TokenizerSettings {
  const settings = SETTINGS_FILES.flatMap((name) => {
    const object = readObject(files, name);
    return object === null ? [] : [{ path: files.path(name), object }];
  });
  const nameOf = (key: string): string | null | undefined => {
    const said = settings.flatMap(({ path, object }) => {
      const name = tokenName(object[key]);
      return name === undefined ? [] : [{ path, name }];
    });
    const named = said.filter((each): each is { path: string; name: string } => each.name !== null);
    const [first] = named;
    const other = named.find(({ name }) => name !== first?.name);
    if (first !== undefined && other !== undefined) {
      throw new UserError(
        `Reading the tokenizer: "${key}" is ${JSON.stringify(first.name)} in ${first.path}, but ${JSON.stringify(other.name)} ` +
          `in ${other.path}. Use the files of one checkpoint together.`,
      );
    }
    return first?.name ?? (said.length > 0 ? null : undefined);
  };
  const config = settings.find(({ path }) => path.endsWith('tokenizer_config.json'))?.object ?? {};
  const named = settings.flatMap(({ object }) => Object.entries(object)).filter(([key]) => /_tokens?$/.test(key));
  const names = named.flatMap(([, value]) => (Array.isArray(value) ? (value as unknown[]) : [value])).map(tokenName);
  const special = new Set(names.filter((name) => typeof name === 'string'));
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

function byId(tokens: readonly AddedTokenJson[]): AddedTokenJson[] {
  return [...tokens].sort((a, b) => a.id - b.id);
}

function addedToken(path: string, key: string, token: Record<string, unknown>, id: unknown): AddedTokenJson {
  const { content } = token;
  if (!isId(id)) throw wrongKey(path, `${key}.id`, 'an id', id);
  if (typeof content !== 'string' || content === '') throw wrongKey(path, `${key}.content`, 'a text', content);
  const plain = plainAddedToken(id, content, token['special'] === true);
  return {
    ...plain,
    normalized: typeof token['normalized'] === 'boolean' ? token['normalized'] : !plain.special,
    lstrip: token['lstrip'] === true,
    rstrip: token['rstrip'] === true,
    single_word: token['single_word'] === true,
  };
}

const QWEN2_WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const BYTES = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };

/** The steps of a tokenizer class before its merges. */
const CLASSES: Readonly<Record<string, Pick<TokenizerJson, 'normalizer' | 'pre_tokenizer'>>> = {
  GPT2Tokenizer: { normalizer: null, pre_tokenizer: { ...BYTES, use_regex: true } },
  Qwen2Tokenizer: {
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Split', pattern: { Regex: QWEN2_WORDS }, behavior: 'Isolated', invert: false }, BYTES],
    },
  },
};

/** The tokenizer.json that a folder's vocab.json and merges.txt are; null where it has not got both. */
export function readByteLevelFiles(files: NamedFiles): { readonly json: TokenizerJson; readonly path: string } | null {
  const [path, mergesPath] = [files.path('vocab.json'), files.path('merges.txt')];
  const [vocab, text] = [readObject(files, 'vocab.json'), readNamed(files, 'merges.txt')];
  if (vocab === null || text === null) return null;
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) throw wrongKey(path, JSON.stringify(token), 'an id', id);
  }
  const merges = new TextDecoder()
    .decode(text)
    .split(/\r?\n/)
    .filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')))
    .map((line) => line.split(' '));
  const odd = merges.find((pair) => pair.length !== 2);
  if (odd !== undefined) {
    throw new UserError(
      `Reading the tokenizer: ${mergesPath} has the line ${JSON.stringify(odd.join(' ').slice(0, 60))}, expected two ` +
        'symbols with a space between them. Copy it again from the checkpoint.',
    );
  }
  const model = { type: 'BPE', vocab, merges, unk_token: null, byte_fallback: false };
  const decoder = { type: 'ByteLevel' };
  return { path, json: { added_tokens: [], ...classOf(files), post_processor: null, decoder, model } };
}

function classOf(files: NamedFiles): Pick<TokenizerJson, 'normalizer' | 'pre_tokenizer'> {
  const name = readObject(files, 'tokenizer_config.json')?.['tokenizer_class'];
  const known = typeof name === 'string' ? CLASSES[name.replace(/Fast$/, '')] : undefined;
  if (known !== undefined) return known;
  const found = name === undefined ? 'does not say it' : `says ${JSON.stringify(name)}`;
  throw new UserError(
    `Reading the tokenizer of ${files.folder}: vocab.json and merges.txt do not say how a text is cut into words; "tokenizer_class" ` +
      `of tokenizer_config.json does (read are ${Object.keys(CLASSES).join(', ')}), which ${found}. Save the tokenizer ` +
      'as tokenizer.json: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) in Python.',
  );
}
