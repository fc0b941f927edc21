/** The JSON header of a safetensors file, checked by every rule of the format. */

/** Bytes of one number. The last group is listed and never computed with: quantised and complex numbers. */
export const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  U64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
  C64: 8,
  C128: 16,
  /** PyTorch's quantised integers, whose scale lies elsewhere. */
  QI8: 1,
  QU8: 1,
  QI32: 4,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

const NOT_READ = /^(?:F[468]_|F4$|C|Q)/;
/** Types that are read and computed with. */
export type ReadDtype = Exclude<Dtype, `F8_${string}` | `F6_${string}` | 'F4' | `C${string}` | `Q${string}`>;

/** False for types that are listed alone. */
export function isRead(dtype: Dtype): dtype is ReadDtype {
  return !NOT_READ.test(dtype);
}

/** Reason why a tensor cannot be read. */
export function notRead(dtype: Dtype): string {
  return (
    `it is of type ${dtype}, which is listed and not computed with; ` +
    'store it as float32, float16 or bfloat16 in the program that wrote it'
  );
}

export interface HeaderEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly entries: readonly HeaderEntry[];
  readonly metadata: Record<string, string>;
}

/** Throws an error that names the file. */
export type Fail = (what: string) => never;

/** Parts of a dotted name that would reach every object's prototype if names became nested objects. */
const POLLUTING = new Set(['__proto__', 'constructor', 'prototype']);

/** @param bytes the header alone @param dataLength bytes that follow it in the file */
export function parseHeader(bytes: Uint8Array, dataLength: number, fail: Fail): SafetensorsHeader {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    json = JSON.parse(text);
  } catch {
    return fail('the header is not JSON; the file is damaged or another format');
  }
  if (!text.startsWith('{') || !isRecord(json)) return fail('the header is not a JSON object');
  const twice = findDuplicateKey(text);
  if (twice !== null) fail(`the header has the key ${quote(twice)} twice`);

  const entries: HeaderEntry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = checkMetadata(value, fail);
    else entries.push(checkEntry(name, value, dataLength, fail));
  }
  checkCoverage(entries, dataLength, fail);
  return { entries, metadata };
}

function checkMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (!isRecord(value)) return fail('"__metadata__" is not an object');
  for (const [key, text] of Object.entries(value)) {
    if (POLLUTING.has(key)) fail(`"__metadata__" has the forbidden key ${quote(key)}`);
    if (typeof text !== 'string') fail(`"__metadata__" key ${quote(key)} is not a string`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataLength: number, fail: Fail): HeaderEntry {
  const wrong = (what: string): never => fail(`tensor ${quote(name)} ${what}`);
  if (name.split('.').some((part) => POLLUTING.has(part))) wrong('has a forbidden name');
  if (!isRecord(value)) return wrong('is not described by an object');
  const unknownKey = Object.keys(value).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
  if (unknownKey !== undefined) wrong(`has the unknown key ${quote(unknownKey)}`);

  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    return wrong(`has dtype ${quote(String(dtype))}, expected one of ${Object.keys(DTYPE_BYTES).join(', ')}`);
  }
  if (!isCounts(shape)) return wrong('has a shape that is not a list of whole numbers from 0 up');
  if (!isCounts(offsets) || offsets.length !== 2) return wrong('has data_offsets that are not two whole numbers');
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) {
    wrong(`lies at bytes ${begin} to ${end} of ${dataLength}; the file is cut off or damaged`);
  }
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (!Number.isSafeInteger(elements * 16)) wrong('has a shape with too many elements');
  }
  const bytes = elements * DTYPE_BYTES[dtype];
  if (bytes !== end - begin) {
    wrong(`of shape [${shape.slice(0, 16).join(', ')}] and dtype ${dtype} needs ${bytes} bytes but has ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
}

/** The tensors must tile the data: no overlap (memory bound), no gap (nothing hidden), no bytes after the end. */
function checkCoverage(entries: readonly HeaderEntry[], dataLength: number, fail: Fail): void {
  let reached = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin < reached) fail(`tensor ${quote(entry.name)} overlaps another one`);
    if (entry.begin > reached)
      fail(`there is a gap of ${entry.begin - reached} bytes before tensor ${quote(entry.name)}`);
    reached = entry.end;
  }
  if (reached !== dataLength) fail(`${dataLength - reached} bytes after the last tensor belong to nothing`);
}

/** The first key that stands twice in an object of a valid JSON text: JSON.parse keeps the last, others the first. */
function findDuplicateKey(text: string): string | null {
  const open: Set<string>[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '}') open.pop();
    if (character !== '"') continue;
    const end = stringEnd(text, at);
    if (text.slice(end).trimStart().startsWith(':')) {
      const key = String(JSON.parse(text.slice(at, end)));
      const keys = open.at(-1);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
    }
    at = end - 1;
  }
  return null;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && (count as number) >= 0);
}

/** A name from a file, fit for one line of a terminal. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}
