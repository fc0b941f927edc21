/** Values of a pickle, and the names that its reader may allow. */

/** Estimates in bytes of V8's needs, measured on pickles of only one kind. */
export const COST = { list: 40, dictionary: 240, entry: 64, text: 32, bytes: 240, object: 64, memo: 48 } as const;

export abstract class PickleObject {
  abstract readonly kind: string;
}

/** Services for calls of globals: they count copies, and fail with the place in the pickle. */
export interface PickleContext {
  spend(bytes: number): void;
  fail(what: string): never;
}

/** An allowed name of Python's; `call` makes the result of calling it, null where it only stands for itself. */
export class PickleGlobal extends PickleObject {
  readonly kind: string = 'global';

  constructor(
    readonly name: string,
    readonly call: ((args: readonly PickleValue[], context: PickleContext) => PickleValue) | null,
  ) {
    super();
  }
}

/** An object of a class that no reader of numbers needs; items set in it are kept. */
export class PickleOpaque extends PickleObject {
  readonly kind: string = 'opaque object';

  constructor(
    readonly name: string,
    readonly items: Map<PickleValue, PickleValue>,
  ) {
    super();
  }
}

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** A dictionary whose Python attributes (`_metadata` of a state dict) are dropped. */
export class PickleOrderedDict extends Map<PickleValue, PickleValue> {}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleTuple
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleObject;

export interface PickleOptions {
  /** For errors. */
  readonly source: string;
  /** By 'module name', as in 'collections OrderedDict'; everything else is refused. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Value of a name that is not in `globals`; null, or left out: it is refused. */
  readonly unlisted?: (module: string, name: string) => PickleGlobal | null;
  /** Resolves the id of an object outside of the pickle. Without it such ids are refused. */
  readonly persistentLoad?: (id: PickleValue, context: PickleContext) => PickleValue;
  /** Position of the pickle. */
  readonly start?: number;
  /** Approximate limit of the memory of the values. Default 512 MiB. */
  readonly memory?: number;
}

/** Kind of a value, for errors. */
export function describePickled(value: PickleValue): string {
  if (value === null) return 'None';
  if (value instanceof PickleTuple) return 'a tuple';
  if (value instanceof PickleOpaque) return `an object of ${value.name}`;
  if (value instanceof PickleObject) return `a ${value.kind}`;
  if (value instanceof Map) return 'a dict';
  if (value instanceof Set) return 'a set';
  if (value instanceof Uint8Array) return 'bytes';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
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
  if (args.length > 1 || !Array.isArray(items)) return context.fail(`a container is made of ${describePickled(first)}`);
  context.spend(COST.entry * items.length);
  return items as readonly PickleValue[];
}

function latin1Bytes(args: readonly PickleValue[], context: PickleContext): PickleValue {
  const [text, encoding] = args;
  if (typeof text !== 'string' || encoding !== 'latin1') return context.fail('bytes are not written as latin1');
  context.spend(COST.object + text.length);
  return new Uint8Array(Buffer.from(text, 'latin1'));
}
