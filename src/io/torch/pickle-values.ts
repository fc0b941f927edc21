/** Values of a pickle, and the names that its reader may allow. */

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
  /** Encoding of the str of Python 2 (bytes of unknown encoding). Default utf-8. */
  readonly encoding?: 'utf-8' | 'latin1';
  /** Approximate limit of the memory of the values. Default 512 MiB. */
  readonly memory?: number;
}

/** Kind of a value, for errors. */
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
