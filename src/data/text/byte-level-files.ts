/** vocab.json and merges.txt of a byte-level BPE; `tokenizer_class` of tokenizer_config.json says how text is split. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { readText } from '../../io/json/json-file.js';
import type { TokenizerJson } from './tokenizer-json.js';
import { isId, readObject, wrongKey } from './tokenizer-object.js';

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
export function readByteLevelFiles(dir: string): { readonly json: TokenizerJson; readonly path: string } | null {
  const path = join(dir, 'vocab.json');
  const mergesPath = join(dir, 'merges.txt');
  if (!existsSync(path) || !existsSync(mergesPath)) return null;
  const vocab = readObject(path);
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) throw wrongKey(path, JSON.stringify(token), 'an id', id);
  }
  const merges = readText(mergesPath, 'the merges of the tokenizer')
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
  return { path, json: { added_tokens: [], ...classOf(dir), post_processor: null, decoder, model } };
}

function classOf(dir: string): Pick<TokenizerJson, 'normalizer' | 'pre_tokenizer'> {
  const path = join(dir, 'tokenizer_config.json');
  const name = existsSync(path) ? readObject(path)['tokenizer_class'] : undefined;
  const known = typeof name === 'string' ? CLASSES[name.replace(/Fast$/, '')] : undefined;
  if (known !== undefined) return known;
  const found = name === undefined ? 'does not say it' : `says ${JSON.stringify(name)}`;
  throw new UserError(
    `Reading the tokenizer of ${dir}: vocab.json and merges.txt do not say how a text is cut into words; "tokenizer_class" ` +
      `of tokenizer_config.json does (read are ${Object.keys(CLASSES).join(', ')}), which ${found}. Save the tokenizer ` +
      'as tokenizer.json: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) in Python.',
  );
}
