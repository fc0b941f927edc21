/**
 * State of a running pickle: a stack, marks in it, a memo, and a position in the bytes. Every length is compared with
 * the remaining bytes before anything is made, and values are counted: a pickle of one-byte opcodes cannot fill the
 * memory.
 */
import { isUtf8 } from 'node:buffer';
import { UserError } from '../../errors.js';
import {
  COST,
  type PickleContext,
  PickleGlobal,
  type PickleOptions,
  type PickleValue,
  describePickled,
} from './pickle-values.js';

const DEFAULT_MEMORY = 512 * 2 ** 20;

/** Values on the stack at once; Python writes containers in batches of 1000, tuples whole. */
const LARGEST_STACK = 4_000_000;
const LARGEST_MARKS = 100_000;
/** Cost in bytes of a value on the stack. */
const SLOT = 24;

export class PickleMachine implements PickleContext {
  readonly stack: PickleValue[] = [];
  readonly memo = new PickleMemo();
  readonly bytes: Buffer;
  at: number;
  private readonly marks: number[] = [];
  /** Height of the stack at the last mark, below which nothing is popped. */
  private floor = 0;
  private left: number;

  constructor(
    bytes: Uint8Array,
    readonly options: PickleOptions,
  ) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = options.start ?? 0;
    this.left = options.memory ?? DEFAULT_MEMORY;
  }

  fail(what: string): never {
    throw new UserError(`Cannot read ${this.options.source} as a pickle: ${what} (before byte ${this.at}).`);
  }

  spend(bytes: number): void {
    this.left -= bytes;
    if (this.left < 0) {
      const allowed = (this.options.memory ?? DEFAULT_MEMORY) / 2 ** 20;
      this.fail(`its values would take more than the ${allowed} MiB of memory that are allowed`);
    }
  }

  /** Moves over `length` bytes and returns their position. */
  take(length: number): number {
    const start = this.at;
    if (length > this.bytes.length - start) {
      this.fail(`${length} bytes should follow but ${this.bytes.length - start} are left; it is cut off or damaged`);
    }
    this.at = start + length;
    return start;
  }

  uint8(): number {
    return this.bytes.readUInt8(this.take(1));
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  /** An 8-byte length; rounded beyond 2^53, which no file holds. */
  length8(): number {
    return Number(this.bytes.readBigUInt64LE(this.take(8)));
  }

  line(): Buffer {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) this.fail('a line has no end; it is cut off or damaged');
    const line = this.bytes.subarray(this.at, end);
    this.at = end + 1;
    return line;
  }

  text(length: number): string {
    const start = this.take(length);
    return this.decoded(this.bytes, start, start + length);
  }

  decoded(bytes: Buffer, start = 0, end = bytes.length): string {
    this.spend(COST.text + 2 * (end - start));
    const text = bytes.toString('utf8', start, end);
    // The replacement character stands for damage, or for itself.
    if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) {
      this.fail('a text is not valid UTF-8; where it comes from Python 2 it may be latin1');
    }
    return text;
  }

  push(value: PickleValue): void {
    this.left -= SLOT;
    if (this.left < 0) this.spend(0);
    if (this.stack.push(value) > LARGEST_STACK) this.fail(`it needs a stack of more than ${LARGEST_STACK} values`);
  }

  pop(): PickleValue {
    this.need(1);
    return this.stack.pop() as PickleValue;
  }

  /** The value on top, which stays. */
  top(): PickleValue {
    this.need(1);
    return this.stack[this.stack.length - 1] as PickleValue;
  }

  private need(count: number): void {
    if (this.stack.length - this.floor < count) this.fail('a value is missing on its stack; it is damaged');
  }

  /** The uppermost `count` values, taken off. */
  popMany(count: number): PickleValue[] {
    this.need(count);
    return this.stack.splice(this.stack.length - count);
  }

  mark(): void {
    if (this.marks.push(this.floor) > LARGEST_MARKS) this.fail(`it is nested more than ${LARGEST_MARKS} deep`);
    this.floor = this.stack.length;
  }

  /** The values above the last mark, popped together with it. */
  popMark(): PickleValue[] {
    const below = this.marks.pop();
    if (below === undefined) return this.fail('a mark is missing on its stack; it is damaged');
    const items = this.stack.splice(this.floor);
    this.floor = below;
    return items;
  }

  /** POP removes a value, or a mark with nothing above it. */
  popAny(): void {
    if (this.stack.length === this.floor && this.marks.length > 0) this.popMark();
    else this.pop();
  }

  memoize(index: number): void {
    this.spend(COST.memo);
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) this.fail(`it refers to its value ${index}, which there is not; it is damaged`);
    this.push(value);
  }

  global(module: string, name: string): void {
    const found = this.options.globals.get(`${module} ${name}`) ?? this.options.unlisted?.(module, name) ?? null;
    if (found === null) {
      this.fail(
        `it refuses ${shown(`${module}.${name}`)}: only tensors and plain containers are read, no code is run. ` +
          'Save plain tensors (a state_dict) in a program that you trust, and read those',
      );
    }
    this.push(found);
  }

  /** Pushes the result of calling `callee`, where the allow-list permits it. */
  call(callee: PickleValue, args: readonly PickleValue[]): void {
    if (!(callee instanceof PickleGlobal) || callee.call === null) {
      this.fail(
        `it calls ${callee instanceof PickleGlobal ? callee.name : describePickled(callee)}, which cannot be called`,
      );
    }
    const { call } = callee as PickleGlobal & { call: NonNullable<PickleGlobal['call']> };
    this.spend(COST.object);
    this.push(call(args, this));
  }

  persistent(id: PickleValue): void {
    const { persistentLoad } = this.options;
    if (persistentLoad === undefined) this.fail('it refers to an object outside of itself, expected none');
    this.spend(COST.object);
    this.push(persistentLoad(id, this));
  }
}

/** A text from the file, fit for one line of a terminal. */
export function shown(text: string): string {
  const short = text.length > 120 ? `${text.slice(0, 117)}...` : text;
  return /^[\w.$<>-]*$/.test(short) ? short : JSON.stringify(short);
}

/** A pickle's memo. Numbers usually follow one another from 0 or 1 on: a list is faster for these. */
class PickleMemo {
  private readonly list: PickleValue[] = [];
  private start = 0;
  private readonly others = new Map<number, PickleValue>();

  get size(): number {
    return this.list.length + this.others.size;
  }

  get(index: number): PickleValue | undefined {
    const place = index - this.start;
    return place >= 0 && place < this.list.length ? this.list[place] : this.others.get(index);
  }

  set(index: number, value: PickleValue): void {
    if (this.size === 0 && index === 1) this.start = 1;
    const place = index - this.start;
    if (place >= 0 && place < this.list.length) this.list[place] = value;
    else if (place === this.list.length && !this.others.has(index)) this.list.push(value);
    else this.others.set(index, value);
  }
}
