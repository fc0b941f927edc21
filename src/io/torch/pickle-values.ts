/** What a pickle is read into, and what the reader of one may allow it to name. */

/** Anything a handler of the caller makes; the machine only carries it about. */
export abstract class PickleObject {
  abstract readonly kind: string;
}

/** What one call of a global may use: it counts what it copies, and fails with the place in the pickle. */
export interface PickleContext {
  spend(bytes: number): void;
  fail(what: string): never;
}

/** A name of Python's that the caller allows; `call` is what calling it makes, null where it only stands for itself. */
export class PickleGlobal extends PickleObject {
  readonly kind: string = 'global';

  constructor(
    readonly name: string,
    readonly call: ((args: readonly PickleValue[], context: PickleContext) => PickleValue) | null,
  ) {
    super();
  }
}

/** An object of a class that no reader of numbers needs; what was set in it like in a dict is kept. */
export class PickleOpaque extends PickleObject {
  readonly kind: string = 'opaque object';

  constructor(
    /** Its class: 'torch.optim.lr_scheduler.MultiStepLR'. */
    readonly name: string,
    readonly items: Map<PickleValue, PickleValue>,
  ) {
    super();
  }
}

/** A Python tuple; a list is an Array. */
export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** A dictionary that Python gave attributes of its own (`_metadata` of a state dict), which are dropped. */
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
  /** Whose pickle it is, for errors. */
  readonly source: string;
  /** By 'module name', as in 'collections OrderedDict'; everything else is refused. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Value of a name that is not in `globals`; null, or left out: it is refused. */
  readonly unlisted?: (module: string, name: string) => PickleGlobal | null;
  /** What stands for the object that lies outside of the pickle under this id. Without it such ids are refused. */
  readonly persistentLoad?: (id: PickleValue, context: PickleContext) => PickleValue;
  /** Where the pickle begins. */
  readonly start?: number;
  /** What the str of Python 2 (bytes of an unknown encoding) are read as. Default utf-8. */
  readonly encoding?: 'utf-8' | 'latin1';
  /** About how much memory the values may take. Default 512 MiB. */
  readonly memory?: number;
}

/** What kind of thing a value is, for errors. */
export function describe(value: PickleValue): string {
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
