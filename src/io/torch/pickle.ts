/**
 * Python's pickle format, for files of strangers. A pickle is a program: Python's own reader runs whatever it names.
 * This reader has an allow-list of names, makes plain values only, runs nothing, and bounds its memory. Containers may
 * contain themselves, so walks through a value need a bound.
 */
import { COST, PickleMachine } from './pickle-machine.js';
import { STEPS, STOP } from './pickle-opcodes.js';
import {
  type PickleContext,
  PickleGlobal,
  type PickleOptions,
  PickleOrderedDict,
  PickleTuple,
  type PickleValue,
  describe,
} from './pickle-values.js';

export { PickleGlobal, PickleObject, PickleOpaque, PickleOrderedDict, PickleTuple } from './pickle-values.js';
export type { PickleContext, PickleOptions, PickleValue } from './pickle-values.js';
export { describe as describePickled } from './pickle-values.js';

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

/** Containers that pickles name for lack of an opcode, by 'module name'. */
export const PLAIN_GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    new PickleGlobal('collections OrderedDict', orderedDict),
    new PickleGlobal('collections defaultdict', (_, context) => orderedDict([], context)),
    new PickleGlobal('builtins set', setOf),
    new PickleGlobal('__builtin__ set', setOf),
    new PickleGlobal('builtins frozenset', setOf),
    new PickleGlobal('__builtin__ frozenset', setOf),
    // How protocols below 3 write the bytes of Python 3.
    new PickleGlobal('_codecs encode', latin1Bytes),
  ].map((global) => [global.name, global]),
);

/** OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]). */
function orderedDict(args: readonly PickleValue[], context: PickleContext): PickleValue {
  context.spend(COST.dictionary);
  const dictionary = new PickleOrderedDict();
  for (const pair of listed(args, context)) {
    const items = pair instanceof PickleTuple ? pair.items : pair;
    if (!Array.isArray(items) || items.length !== 2) return context.fail('an OrderedDict is made of what is no pair');
    const [key, value] = items as [PickleValue, PickleValue];
    dictionary.set(key, value);
  }
  return dictionary;
}

function setOf(args: readonly PickleValue[], context: PickleContext): PickleValue {
  context.spend(COST.dictionary);
  return new Set(listed(args, context));
}

/** The items of the one list or tuple given, if any; counted, since one list may be copied many times. */
function listed(args: readonly PickleValue[], context: PickleContext): readonly PickleValue[] {
  const [first] = args;
  if (first === undefined) return [];
  const items = first instanceof PickleTuple ? first.items : first;
  if (args.length > 1 || !Array.isArray(items)) return context.fail(`a container is made of ${describe(first)}`);
  context.spend(COST.entry * items.length);
  return items as readonly PickleValue[];
}

function latin1Bytes(args: readonly PickleValue[], context: PickleContext): PickleValue {
  const [text, encoding] = args;
  if (typeof text !== 'string' || encoding !== 'latin1') return context.fail('bytes are not written as latin1');
  context.spend(COST.object + text.length);
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
