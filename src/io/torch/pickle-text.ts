import type { Fail } from '../safetensors/safetensors-header.js';

/** Digits of an integer of 255 bytes. */
const MOST_DIGITS = 615;
const WHOLE = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf|nan)$/i;

/** An integer as a number where that is exact, else as a bigint. */
export function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** '123', '-5', also '123L' of Python 2. */
export function parseWhole(line: Buffer, fail: Fail): number | bigint {
  if (line.length > MOST_DIGITS + 2) fail(`an integer has ${line.length} digits, at most ${MOST_DIGITS} are read`);
  const text = line.toString('latin1').replace(/L$/, '');
  if (!WHOLE.test(text)) fail(`${JSON.stringify(text.slice(0, 40))} is not an integer`);
  // Most are small, and a pickle may have millions of them. (-0 is 0.)
  if (text.length <= 15) return Number(text) + 0;
  return narrowed(BigInt(text.replace(/^\+/, '')));
}

export function parseDecimal(line: Buffer, fail: Fail): number {
  const text = line.toString('latin1', 0, Math.min(line.length, 1000));
  if (line.length > 1000 || !DECIMAL.test(text)) fail(`${JSON.stringify(text.slice(0, 40))} is not a number`);
  if (/inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}

/** Two's complement, little-endian, as LONG1 and LONG4 have it. */
export function parseTwosComplement(bytes: Buffer): number | bigint {
  if (bytes.length <= 6) return bytes.length === 0 ? 0 : bytes.readIntLE(0, bytes.length);
  const hex = Buffer.from(bytes).reverse().toString('hex');
  return narrowed(BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`)));
}

const ESCAPES: Readonly<Record<string, number>> = {
  '\\': 92,
  "'": 39,
  '"': 34,
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

/** The bytes of a quoted Python 2 text, as repr() writes it. */
export function unquoted(line: Buffer, fail: Fail): Buffer {
  const text = line.toString('latin1');
  const quote = text[0];
  if (text.length < 2 || (quote !== "'" && quote !== '"') || text.at(-1) !== quote) return fail('a text has no quotes');
  const plain = text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([^]))/g, (all, hex?: string, octal?: string, one?: string) => {
      if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8) & 255);
      const code = ESCAPES[one as string];
      return code === undefined ? all : String.fromCharCode(code);
    });
  return Buffer.from(plain, 'latin1');
}

/** Python's raw-unicode-escape: latin1 with \uXXXX and \UXXXXXXXX. */
export function unescaped(line: Buffer, fail: Fail): string {
  return line
    .toString('latin1')
    .replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_all, short?: string, long?: string) => {
      const code = parseInt((short ?? long) as string, 16);
      return code > 0x10ffff ? fail('a text holds a character beyond Unicode') : String.fromCodePoint(code);
    });
}
