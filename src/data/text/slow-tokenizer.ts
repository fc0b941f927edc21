/** Both ends of transformers' slow legacy LlamaTokenizer: added tokens found in a text, and tokens put together again. */
import { SPACE_SYMBOL } from './bpe-encoder.js';
import type { AddedTokenJson } from './tokenizer-files.js';

/** Added tokens, found in the unchanged text: leftmost first, then longest. */
export class AddedTokens {
  private readonly byContent = new Map<string, AddedTokenJson>();
  private readonly byId = new Map<number, AddedTokenJson>();
  private pattern: RegExp | null = null;

  /** @param strips whether a token takes the white space on both sides of it, whatever its own flags are */
  constructor(private readonly strips: (token: AddedTokenJson) => boolean) {}

  get(content: string): AddedTokenJson | undefined {
    return this.byContent.get(content);
  }

  at(id: number): AddedTokenJson | undefined {
    return this.byId.get(id);
  }

  /** Takes a token over unless there is one of its name already. */
  add(token: AddedTokenJson): void {
    if (this.byContent.has(token.content)) return;
    this.byContent.set(token.content, token);
    this.byId.set(token.id, token);
    this.pattern = null;
  }

  /** The text cut at added tokens: what lies between, and tokens; no part is empty. */
  split(text: string): (string | AddedTokenJson)[] {
    this.pattern ??= patternOf([...this.byContent.keys()]);
    const parts: (string | AddedTokenJson)[] = [];
    let at = 0;
    for (const { 0: found, index } of text.matchAll(this.pattern)) {
      parts.push(text.slice(at, index), this.byContent.get(found) as AddedTokenJson);
      at = index + found.length;
    }
    parts.push(text.slice(at));
    this.stripAround(parts);
    return parts.filter((part) => part !== '');
  }

  /** lstrip, rstrip and single_word, in the order of transformers' `tokenize`. Texts and tokens take turns. */
  private stripAround(parts: (string | AddedTokenJson)[]): void {
    parts.forEach((token, i) => {
      if (typeof token === 'string') return;
      const both = this.strips(token);
      if (both || token.rstrip) parts[i + 1] = withoutSpace(parts[i + 1] as string, 'start');
      if (both || token.lstrip) parts[i - 1] = withoutSpace(parts[i - 1] as string, 'end');
      if (!token.single_word) return;
      const [left, right] = [parts[i - 1] as string, parts[i + 1] as string];
      if (left !== '' && !left.endsWith(' ')) parts[i - 1] = left + token.content;
      else if (right !== '' && !right.startsWith(' ')) parts[i + 1] = token.content + right;
      else return;
      parts[i] = '';
    });
  }
}

/** Whether Python's `str.strip` drops the character: other than JavaScript's, four separators and U+0085, but no U+FEFF. */
function isSpace(character: string): boolean {
  return character !== '\ufeff' && (character.trim() === '' || '\u001c\u001d\u001e\u001f\u0085'.includes(character));
}

function withoutSpace(text: string, side: 'start' | 'end'): string {
  let [from, to] = [0, text.length];
  if (side === 'start') while (from < to && isSpace(text.charAt(from))) from++;
  else while (to > from && isSpace(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

/** The longest first: of alternatives that match at one place, the first is taken. */
function patternOf(contents: readonly string[]): RegExp {
  const longestFirst = [...contents].sort((a, b) => b.length - a.length);
  return new RegExp(
    longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|') || '(?!)',
    'g',
  );
}

const BYTE_PIECE = /^<0x([0-9A-F]{2})>$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** U+FFFD stands for a byte that belongs to no character. */
const REPLACEMENT = '\ufffd';

/**
 * Tokens → text: added tokens between spaces, the rest by SentencePiece.
 * @param standalone added tokens, printed as they are between spaces
 * @param control begin, end and unknown token: printed within the text that surrounds them
 */
export function decodeLikeLlama(
  tokens: readonly string[],
  standalone: ReadonlySet<string>,
  control: ReadonlySet<string>,
): string {
  const parts: string[] = [];
  let pending: string[] = [];
  const flush = (): void => {
    const text = decodePart(pending, control);
    if (text.length > 0) parts.push(text);
    pending = [];
  };
  for (const token of tokens) {
    if (standalone.has(token)) {
      flush();
      parts.push(token);
    } else pending.push(token);
  }
  flush();
  return parts.join(' ');
}

/** `convert_tokens_to_string`: a space before a control token that follows text, none after it. */
function decodePart(tokens: readonly string[], control: ReadonlySet<string>): string {
  let out = '';
  let pieces: string[] = [];
  let afterControl = false;
  for (const [i, raw] of tokens.entries()) {
    const token = i === 0 && raw.startsWith(SPACE_SYMBOL) ? raw.slice(1) : raw;
    if (control.has(token)) {
      if (!afterControl && i !== 0) out += ' ';
      out += joinPieces(pieces) + token;
      pieces = [];
      afterControl = true;
    } else {
      if (afterControl && i === 1 && !token.startsWith(SPACE_SYMBOL)) out += ' ';
      pieces.push(token);
      afterControl = false;
    }
  }
  return out + joinPieces(pieces);
}

/** SentencePiece's decode: bytes put together as UTF-8, "▁" as space, one space dropped from the front. */
function joinPieces(pieces: readonly string[]): string {
  let out = '';
  let bytes: number[] = [];
  const flushBytes = (): void => {
    out += textOfBytes(bytes);
    bytes = [];
  };
  for (const piece of pieces) {
    const hex = BYTE_PIECE.exec(piece)?.[1];
    if (hex !== undefined) bytes.push(parseInt(hex, 16));
    else {
      flushBytes();
      out += piece;
    }
  }
  flushBytes();
  const text = out.replaceAll(SPACE_SYMBOL, ' ');
  return out.startsWith(SPACE_SYMBOL) ? text.slice(1) : text;
}

/** UTF-8 as SentencePiece reads it: a byte that begins no whole character is one U+FFFD, and the next one is tried. */
function textOfBytes(bytes: readonly number[]): string {
  let out = '';
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] as number;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const character = decoded(bytes.slice(at, at + length));
    out += character ?? REPLACEMENT;
    at += character === null ? 1 : length;
  }
  return out;
}

function decoded(bytes: readonly number[]): string | null {
  try {
    return utf8.decode(new Uint8Array(bytes));
  } catch {
    return null;
  }
}
