/**
 * Python's pickle, protocol 2, as much of it as a checkpoint of PyTorch or a list of records needs. Nothing is memoised: what occurs twice
 * is written twice, and every reader understands that. (Opcodes: CPython's Lib/pickletools.py)
 */

/** A value to pickle; see the functions below for what JavaScript has no form of. */
export type Picklable =
  string | number | boolean | PickleTuple | PickleList | PickleDict | PickleGlobal | PickleCall | PersistentId;

interface PickleList {
  readonly kind: 'list';
  readonly values: readonly Picklable[];
}

interface PickleDict {
  readonly kind: 'dict';
  readonly items: Readonly<Record<string, Picklable>>;
}

interface PickleTuple {
  readonly kind: 'tuple';
  readonly values: readonly Picklable[];
}

interface PickleGlobal {
  readonly kind: 'global';
  readonly module: string;
  readonly name: string;
}

interface PickleCall {
  readonly kind: 'call';
  readonly callable: PickleGlobal;
  readonly values: readonly Picklable[];
  readonly items: Iterable<readonly [Picklable, Picklable]>;
}

interface PersistentId {
  readonly kind: 'persistent-id';
  readonly id: Picklable;
}

export function tuple(...values: Picklable[]): PickleTuple {
  return { kind: 'tuple', values };
}

export function list(values: readonly Picklable[]): PickleList {
  return { kind: 'list', values };
}

/** A dict whose keys are texts. */
export function dict(items: Readonly<Record<string, Picklable>>): PickleDict {
  return { kind: 'dict', items };
}

/** A class or function, by its name. */
export function global(module: string, name: string): PickleGlobal {
  return { kind: 'global', module, name };
}

/** What a class or function returns for these arguments; `items` are then set in it, which must be a dict. */
export function call(
  callable: PickleGlobal,
  values: readonly Picklable[],
  items: Iterable<readonly [Picklable, Picklable]> = [],
): PickleCall {
  return { kind: 'call', callable, values, items };
}

/** Something that lies outside the pickle and that its reader finds by `id`. */
export function persistentId(id: Picklable): PersistentId {
  return { kind: 'persistent-id', id };
}

const OP = {
  proto: 0x80,
  stop: 0x2e,
  mark: 0x28,
  emptyTuple: 0x29,
  tuple: 0x74,
  /** For 1, 2 and 3 values. */
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

/** A value as a pickle. */
export function pickle(value: Picklable): Buffer {
  const out: Buffer[] = [Buffer.of(OP.proto, 2)];
  write(value, out);
  out.push(Buffer.of(OP.stop));
  return Buffer.concat(out);
}

function write(value: Picklable, out: Buffer[]): void {
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'utf8');
    const head = Buffer.alloc(5, OP.text);
    head.writeUInt32LE(text.length, 1);
    out.push(head, text);
  } else if (typeof value === 'number') {
    out.push(wholeNumber(value));
  } else if (typeof value === 'boolean') {
    out.push(Buffer.of(value ? OP.true : OP.false));
  } else {
    writeObject(value, out);
  }
}

function writeObject(value: Exclude<Picklable, string | number | boolean>, out: Buffer[]): void {
  switch (value.kind) {
    case 'tuple':
      writeTuple(value.values, out);
      break;
    case 'global':
      out.push(Buffer.of(OP.global), Buffer.from(`${value.module}\n${value.name}\n`, 'ascii'));
      break;
    case 'call': {
      write(value.callable, out);
      writeTuple(value.values, out);
      out.push(Buffer.of(OP.reduce));
      writeItems([...value.items], out);
      break;
    }
    case 'list':
      out.push(Buffer.of(OP.emptyList, OP.mark));
      for (const item of value.values) write(item, out);
      out.push(Buffer.of(OP.appends));
      break;
    case 'dict':
      out.push(Buffer.of(OP.emptyDict));
      writeItems(Object.entries(value.items), out);
      break;
    case 'persistent-id':
      write(value.id, out);
      out.push(Buffer.of(OP.persistentId));
      break;
  }
}

/** Sets them in the dict before. */
function writeItems(items: readonly (readonly [Picklable, Picklable])[], out: Buffer[]): void {
  if (items.length === 0) return;
  out.push(Buffer.of(OP.mark));
  for (const [key, item] of items) {
    write(key, out);
    write(item, out);
  }
  out.push(Buffer.of(OP.setItems));
}

function writeTuple(values: readonly Picklable[], out: Buffer[]): void {
  const short = OP.shortTuples[values.length - 1];
  if (values.length === 0) {
    out.push(Buffer.of(OP.emptyTuple));
    return;
  }
  if (short === undefined) out.push(Buffer.of(OP.mark));
  for (const value of values) write(value, out);
  out.push(Buffer.of(short ?? OP.tuple));
}

/** The shortest opcode that holds it. */
function wholeNumber(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new Error(`pickle: ${value} is not a whole number that is exact`);
  if (value >= 0 && value < 2 ** 8) return Buffer.of(OP.uint8, value);
  if (value >= 0 && value < 2 ** 16) {
    const short = Buffer.alloc(3, OP.uint16);
    short.writeUInt16LE(value, 1);
    return short;
  }
  if (Math.abs(value) < 2 ** 31) {
    const medium = Buffer.alloc(5, OP.int32);
    medium.writeInt32LE(value, 1);
    return medium;
  }
  // Length in bytes, then the number in two's complement: 8 hold every exact number.
  const long = Buffer.alloc(10);
  long[0] = OP.long;
  long[1] = 8;
  long.writeBigInt64LE(BigInt(value), 2);
  return long;
}
