/**
 * Python's pickle format (protocols 0 to 5, as Python's pickletools.py documents them), for files of strangers. A pickle
 * is a program: Python's own reader runs whatever it names. This reader has an allow-list of names, makes plain values
 * only, runs nothing, and bounds its memory; opcodes without a place in data (the extension registry, external buffers)
 * are refused. Containers may contain themselves, so walks through a value need a bound.
 */
import { PickleMachine } from './pickle-machine.js';
import { parseDecimal, parseTwosComplement, parseWhole, unescaped, unquoted } from './pickle-text.js';
import {
  COST,
  PickleOpaque,
  type PickleOptions,
  PickleOrderedDict,
  PickleTuple,
  type PickleValue,
  describePickled,
} from './pickle-values.js';

export * from './pickle-values.js';

/**
 * Reads one pickle.
 * @returns its value, and the position after it
 * @throws UserError that names the source, the place and what is wrong or refused there
 */
export function unpickle(bytes: Uint8Array, options: PickleOptions): { value: PickleValue; end: number } {
  const machine = new PickleMachine(bytes, options);
  for (;;) {
    const opcode = machine.uint8();
    if (opcode === STOP) return { value: machine.pop(), end: machine.at };
    const step = STEPS[opcode];
    if (step === undefined) machine.fail(`0x${opcode.toString(16)} is not an opcode of plain data; it is damaged`);
    (step as NonNullable<typeof step>)(machine);
  }
}

type Step = (machine: PickleMachine) => void;

/** By the opcode's byte; STOP is the loop's own. */
const STEPS: (Step | undefined)[] = Array.from({ length: 256 }, () => undefined);
const STOP = 0x2e;

const HIGHEST_PROTOCOL = 5;
const LONGEST_INTEGER = 255;

function define(opcode: string | number, step: Step): void {
  STEPS[typeof opcode === 'string' ? opcode.charCodeAt(0) : opcode] = step;
}

// The frame of a pickle.
define(0x80, (m) => {
  const protocol = m.uint8();
  if (protocol > HIGHEST_PROTOCOL) m.fail(`it has protocol ${protocol}, at most ${HIGHEST_PROTOCOL} is known`);
});
define(0x95, (m) => {
  const length = m.length8();
  if (length > m.bytes.length - m.at) m.fail(`a frame of ${length} bytes is longer than what is left; it is cut off`);
});

// Constants and numbers.
define('N', (m) => m.push(null));
define(0x88, (m) => m.push(true));
define(0x89, (m) => m.push(false));
define('K', (m) => m.push(m.uint8()));
define('M', (m) => m.push(m.bytes.readUInt16LE(m.take(2))));
define('J', (m) => m.push(m.bytes.readInt32LE(m.take(4))));
define('G', (m) => m.push(m.bytes.readDoubleBE(m.take(8))));
define('F', (m) => m.push(parseDecimal(m.line(), (what) => m.fail(what))));
define('I', (m) => {
  const line = m.line();
  // '00' and '01' are how protocol 0 writes False and True.
  const isTruth = line.length === 2 && line[0] === 48 && (line[1] === 48 || line[1] === 49);
  m.push(isTruth ? line[1] === 49 : whole(m, line));
});
define('L', (m) => m.push(whole(m, m.line())));
define(0x8a, (m) => pushLong(m, m.uint8()));
define(0x8b, (m) => pushLong(m, m.uint32()));

function whole(m: PickleMachine, line: Buffer): number | bigint {
  m.spend(line.length);
  return parseWhole(line, (what) => m.fail(what));
}

function pushLong(m: PickleMachine, length: number): void {
  if (length > LONGEST_INTEGER) m.fail(`an integer has ${length} bytes, at most ${LONGEST_INTEGER} are read`);
  const start = m.take(length);
  m.spend(length);
  m.push(parseTwosComplement(m.bytes.subarray(start, start + length)));
}

// Texts and bytes.
define('X', (m) => m.push(m.text(m.uint32())));
define(0x8c, (m) => m.push(m.text(m.uint8())));
define(0x8d, (m) => m.push(m.text(m.length8())));
define('V', (m) => {
  const line = m.line();
  m.spend(COST.text + 2 * line.length);
  m.push(unescaped(line, (what) => m.fail(what)));
});
define('S', (m) => {
  const line = m.line();
  m.spend(4 * line.length);
  m.push(m.decoded(unquoted(line, (what) => m.fail(what))));
});
define('T', (m) => m.push(m.text(m.uint32())));
define('U', (m) => m.push(m.text(m.uint8())));
define('B', (m) => pushBytes(m, m.uint32()));
define('C', (m) => pushBytes(m, m.uint8()));
define(0x8e, (m) => pushBytes(m, m.length8()));
define(0x96, (m) => pushBytes(m, m.length8()));

function pushBytes(m: PickleMachine, length: number): void {
  const start = m.take(length);
  m.spend(COST.bytes + length);
  m.push(Uint8Array.prototype.slice.call(m.bytes, start, start + length));
}

// Containers.
define(']', (m) => pushList(m, []));
define('l', (m) => pushList(m, m.popMark()));
define('}', (m) => pushDictionary(m, []));
define('d', (m) => pushDictionary(m, m.popMark()));
define(')', (m) => pushTuple(m, []));
define(0x85, (m) => pushTuple(m, m.popMany(1)));
define(0x86, (m) => pushTuple(m, m.popMany(2)));
define(0x87, (m) => pushTuple(m, m.popMany(3)));
define('t', (m) => pushTuple(m, m.popMark()));
define(0x8f, (m) => pushSet(m, []));
define(0x91, (m) => pushSet(m, m.popMark()));
define('a', (m) => append(m, m.popMany(1)));
define('e', (m) => append(m, m.popMark()));
define('s', (m) => setItems(m, m.popMany(2)));
define('u', (m) => setItems(m, m.popMark()));
define(0x90, (m) => {
  const items = m.popMark();
  const set = m.top();
  if (set instanceof PickleOpaque) return;
  if (!(set instanceof Set)) return m.fail(`it adds to ${describePickled(set)}, expected a set`);
  m.spend(COST.entry * items.length);
  for (const item of items) set.add(item);
});

function pushList(m: PickleMachine, items: PickleValue[]): void {
  m.spend(COST.list);
  m.push(items);
}

function pushTuple(m: PickleMachine, items: PickleValue[]): void {
  m.spend(COST.list + COST.object);
  m.push(new PickleTuple(items));
}

function pushSet(m: PickleMachine, items: PickleValue[]): void {
  m.spend(COST.dictionary + COST.entry * items.length);
  m.push(new Set(items));
}

function pushDictionary(m: PickleMachine, pairs: PickleValue[]): void {
  m.spend(COST.dictionary);
  m.push(new Map<PickleValue, PickleValue>());
  setItems(m, pairs);
}

function append(m: PickleMachine, items: PickleValue[]): void {
  const list = m.top();
  // A class that is a list of its own kind: what is in it is of no use.
  if (list instanceof PickleOpaque) return;
  if (!Array.isArray(list)) return m.fail(`it appends to ${describePickled(list)}, expected a list`);
  for (const item of items) list.push(item);
}

function setItems(m: PickleMachine, pairs: PickleValue[]): void {
  const target = m.top();
  const dictionary = target instanceof PickleOpaque ? target.items : target;
  if (!(dictionary instanceof Map)) return m.fail(`it sets items of ${describePickled(dictionary)}, expected a dict`);
  if (pairs.length % 2 !== 0) m.fail('a key of a dict has no value; it is damaged');
  m.spend((COST.entry * pairs.length) / 2);
  for (let i = 0; i < pairs.length; i += 2) dictionary.set(pairs[i] as PickleValue, pairs[i + 1] as PickleValue);
}

// The stack and the memo.
define('(', (m) => m.mark());
define('0', (m) => m.popAny());
define('1', (m) => void m.popMark());
define('2', (m) => m.push(m.top()));
define('p', (m) => m.memoize(memoIndex(m)));
define('q', (m) => m.memoize(m.uint8()));
define('r', (m) => m.memoize(m.uint32()));
define(0x94, (m) => m.memoize(m.memo.size));
define('g', (m) => m.recall(memoIndex(m)));
define('h', (m) => m.recall(m.uint8()));
define('j', (m) => m.recall(m.uint32()));

function memoIndex(m: PickleMachine): number {
  const index = whole(m, m.line());
  return typeof index === 'number' && index >= 0 && index < 2 ** 32 ? index : m.fail('a memo index is out of range');
}

// Names, calls and objects from outside.
define('c', (m) => {
  const [module, name] = [m.decoded(m.line()), m.decoded(m.line())];
  m.global(module, name);
});
define(0x93, (m) => {
  const [module, name] = m.popMany(2);
  if (typeof module !== 'string' || typeof name !== 'string') return m.fail('a global has a name that is not a text');
  m.global(module, name);
});
define('R', callOnStack);
define(0x81, callOnStack);
define(0x92, (m) => {
  const named = m.pop();
  callOnStack(m);
  const isEmpty = named instanceof Map && named.size === 0;
  if (!isEmpty && !(m.top() instanceof PickleOpaque)) m.fail('it calls with named arguments, expected none');
});
define('i', (m) => {
  const [module, name] = [m.decoded(m.line()), m.decoded(m.line())];
  const args = m.popMark();
  m.global(module, name);
  m.call(m.pop(), args);
});
define('o', (m) => {
  const [callee, ...args] = m.popMark();
  if (callee === undefined) return m.fail('it makes an object of nothing; it is damaged');
  m.call(callee, args);
});
define('b', (m) => {
  const state = m.pop();
  const target = m.top();
  // PyTorch's state dicts have a `_metadata` of versions, which says nothing about the tensors.
  const isHarmless = state === null || state instanceof Map;
  if (target instanceof PickleOpaque) return;
  if (!(target instanceof PickleOrderedDict) || !isHarmless) {
    m.fail(`it gives ${describePickled(target)} attributes (${describePickled(state)}), which is refused`);
  }
});
define('P', (m) => m.persistent(m.decoded(m.line())));
define('Q', (m) => m.persistent(m.pop()));

function callOnStack(m: PickleMachine): void {
  const [callee, args] = m.popMany(2);
  if (!(args instanceof PickleTuple)) return m.fail(`it calls with ${describePickled(args ?? null)}, expected a tuple`);
  m.call(callee ?? null, args.items);
}
