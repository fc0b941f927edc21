/**
 * Tokens → text as transformers' slow legacy LlamaTokenizer: added tokens between spaces, the rest by SentencePiece.
 */
import { SPACE_SYMBOL } from './bpe-encoder.js';

const BYTE_PIECE = /^<0x([0-9A-F]{2})>$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** U+FFFD stands for a byte that belongs to no character. */
const REPLACEMENT = '\ufffd';

/**
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
