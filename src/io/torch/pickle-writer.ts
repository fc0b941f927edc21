/**
 * Python's pickle, protocol 2, as far as checkpoints of PyTorch and lists of records need it. Nothing is memoised:
 * repeated values are written twice. (Opcodes: CPython's Lib/pickletools.py)
 */

/** A value to pickle: plain, or made by one of the functions below. */
export type Picklable = string | number | boolean | ((out: Buffer[]) => void);
type Writer = Extract<Picklable, (out: Buffer[]) => void>;

const OP = {
  proto: 0x80,
  stop: 0x2e,
  mark: 0x28,
  emptyTuple: 0x29,
  tuple: 0x74,
  shortTuples: [0x85, 0x86, 0x87],
  global: 0x63,
  reduce: 0x52,
  emptyList: 0x5d,
  appends: 0x65,
  emptyDict: 0x7d,
  setItems: 0x75,
  persistentId: 0x51,
  text: 0x58,
  true: 0x88,
  false: 0x89,
  uint8: 0x4b,
  uint16: 0x4d,
  int32: 0x4a,
  long: 0x8a,
} as const;

export function tuple(...values: Picklable[]): Writer {
  return (out) => {
    const short = OP.shortTuples[values.length - 1];
    if (values.length > 0 && short === undefined) out.push(Buffer.of(OP.mark));
    for (const value of values) write(value, out);
    out.push(Buffer.of(values.length === 0 ? OP.emptyTuple : (short ?? OP.tuple)));
  };
}

export function list(values: readonly Picklable[]): Writer {
  return (out) => {
    out.push(Buffer.of(OP.emptyList, OP.mark));
    for (const value of values) write(value, out);
    out.push(Buffer.of(OP.appends));
  };
}

export function dict(items: Readonly<Record<string, Picklable>>): Writer {
  return (out) => {
    out.push(Buffer.of(OP.emptyDict));
    writeItems(Object.entries(items), out);
  };
}

export function global(module: string, name: string): Writer {
  return (out) => out.push(Buffer.of(OP.global), Buffer.from(`${module}\n${name}\n`, 'ascii'));
}

/** The result of a class or function for these arguments; `items` are then set in it, which must be a dict. */
export function call(
  callable: Writer,
  values: readonly Picklable[],
  items: readonly (readonly [Picklable, Picklable])[] = [],
): Writer {
  return (out) => {
    callable(out);
    tuple(...values)(out);
    out.push(Buffer.of(OP.reduce));
    writeItems(items, out);
  };
}

/** Something that lies outside the pickle and that its reader finds by `id`. */
export function persistentId(id: Picklable): Writer {
  return (out) => {
    write(id, out);
    out.push(Buffer.of(OP.persistentId));
  };
}

export function pickle(value: Picklable): Buffer {
  const out: Buffer[] = [Buffer.of(OP.proto, 2)];
  write(value, out);
  out.push(Buffer.of(OP.stop));
  return Buffer.concat(out);
}

function write(value: Picklable, out: Buffer[]): void {
  if (typeof value === 'function') value(out);
  else if (typeof value === 'number') out.push(wholeNumber(value));
  else if (typeof value === 'boolean') out.push(Buffer.of(value ? OP.true : OP.false));
  else {
    const text = Buffer.from(value, 'utf8');
    const head = Buffer.alloc(5, OP.text);
    head.writeUInt32LE(text.length, 1);
    out.push(head, text);
  }
}

function writeItems(items: readonly (readonly [Picklable, Picklable])[], out: Buffer[]): void {
  if (items.length === 0) return;
  out.push(Buffer.of(OP.mark));
  for (const value of items.flat()) write(value, out);
  out.push(Buffer.of(OP.setItems));
}

/** The shortest opcode that holds it. */
function wholeNumber(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new Error(`pickle: ${value} is not a whole number that is exact`);
  if (value >= 0 && value < 2 ** 8) return Buffer.of(OP.uint8, value);
  if (value >= 0 && value < 2 ** 16) return Buffer.of(OP.uint16, value & 255, value >> 8);
  if (Math.abs(value) < 2 ** 31) return Buffer.of(OP.int32, ...new Uint8Array(Int32Array.of(value).buffer));
  // Length in bytes, then the number in two's complement: 8 hold every exact number.
  return Buffer.of(OP.long, 8, ...new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));
}
