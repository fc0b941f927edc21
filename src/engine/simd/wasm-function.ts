/** Generator of WebAssembly functions over float32 arrays, and of a module of them. */
import { type Code, F32, I32, V128, type ValueType, control, f32, i32, memory, unsigned, v128 } from './wasm-code.js';

export interface Variable {
  readonly index: number;
  readonly get: Code;
}

/** The four numbers (or the one left over at the end) at which the body of `forEach` is. */
export interface Lanes {
  /** The numbers of an array that starts at `pointer`. */
  readonly load: (pointer: Variable) => Code;
  readonly store: (pointer: Variable, value: Code) => void;
  /** The value with unused lanes set to zero, for sums. */
  readonly only: (value: Code) => Code;
}

type Variables<Names extends string> = string extends Names
  ? Variable[]
  : Names extends `${string} ${infer Rest}`
    ? [Variable, ...Variables<Rest>]
    : [Variable];

/** A function by its body. @param parameters names in order: addresses of arrays, counts, after a # single numbers */
export function define<Names extends string>(
  name: string,
  parameters: Names,
  body: (f: WasmFunction, ...parameters: Variables<Names>) => void,
): WasmFunction {
  const types = parameters.split(' ').map((parameter) => (parameter.startsWith('#') ? F32 : I32));
  const f = new WasmFunction(name, types);
  body(f, ...(types.map((_, index) => local(index)) as Variables<Names>));
  return f;
}

function local(index: number): Variable {
  return { index, get: control.getLocal(index) };
}

export class WasmFunction {
  private readonly locals: ValueType[] = [];
  private result: ValueType | null = null;
  private code: number[] = [];

  constructor(
    readonly name: string,
    private readonly parameters: readonly ValueType[],
  ) {}

  private declare(type: ValueType, value: Code): Variable {
    const variable = local(this.parameters.length + this.locals.push(type) - 1);
    this.set(variable, value);
    return variable;
  }

  /** Computes a vector once, for several uses. */
  vector(value: Code): Code {
    return this.vectorVariable(value).get;
  }

  /** A vector that changes. */
  vectorVariable(value: Code): Variable {
    return this.declare(V128, value);
  }

  /** Computes a single number once. */
  float(value: Code): Code {
    return this.declare(F32, value).get;
  }

  /** An address or count that changes. */
  integerVariable(value: Code): Variable {
    return this.declare(I32, value);
  }

  /** The address of the numbers that lie `count` numbers behind a pointer. */
  behind(pointer: Variable, count: Code): Variable {
    return this.integerVariable(moved(pointer, count));
  }

  set(variable: Variable, value: Code): void {
    this.code.push(...control.setLocal(variable.index, value));
  }

  emit(statement: Code): void {
    this.code.push(...statement);
  }

  /** Ends the function with a number. */
  returns(value: Code): void {
    this.result = F32;
    this.code.push(...value);
  }

  repeat(count: Code, body: () => void): void {
    const round = this.integerVariable(i32.constant(0));
    this.loopUntil(i32.isAtLeast(round.get, count), () => {
      body();
      this.set(round, i32.add(round.get, i32.constant(1)));
    });
  }

  /** Runs `body` over all `count` numbers of arrays, four at a time, then one at a time. */
  forEach(count: Code, body: (lanes: Lanes) => void): void {
    const end = this.integerVariable(i32.shiftLeft(count, i32.constant(2)));
    const position = this.integerVariable(i32.constant(0));
    const at = (pointer: Variable): Code => i32.add(pointer.get, position.get);
    this.loopUntil(i32.isAtLeast(position.get, i32.and(end.get, i32.constant(-16))), () => {
      body({
        load: (pointer) => memory.load(at(pointer)),
        store: (pointer, value) => {
          this.emit(memory.store(at(pointer), value));
        },
        only: (value) => value,
      });
      this.set(position, i32.add(position.get, i32.constant(16)));
    });
    this.loopUntil(i32.isAtLeast(position.get, end.get), () => {
      body({
        load: (pointer) => memory.loadSplat(at(pointer)),
        store: (pointer, value) => {
          this.emit(memory.storeFirst(at(pointer), value));
        },
        only: (value) => v128.and(value, v128.firstLaneMask),
      });
      this.set(position, i32.add(position.get, i32.constant(4)));
    });
  }

  /** out[i] = value(…) for all `count` numbers. */
  fill(out: Variable, count: Variable, value: (load: Lanes['load']) => Code): void {
    this.forEach(count.get, ({ load, store }) => {
      store(out, value(load));
    });
  }

  private loopUntil(isDone: Code, body: () => void): void {
    const outer = this.code;
    this.code = [];
    body();
    const inner = this.code;
    this.code = outer;
    this.emit(control.loopUntil(isDone, inner));
  }

  /** Σ over an array of a vector-valued expression, as a single number. */
  sum(count: Code, term: (lanes: Lanes) => Code): Code {
    const total = this.vectorVariable(v128.constant(0));
    this.forEach(count, (lanes) => {
      this.set(total, v128.add(total.get, lanes.only(term(lanes))));
    });
    return this.float(sumOfLanes(total.get));
  }

  /** Moves pointers by a number of floats. */
  advance(count: Code, ...pointers: Variable[]): void {
    for (const pointer of pointers) this.set(pointer, moved(pointer, count));
  }

  /** The function's type and code in the binary format. */
  encode(): { type: number[]; code: number[] } {
    const results = this.result === null ? [] : [this.result];
    const body = [...list(this.locals.map((type) => [1, type])), ...this.code, 0x0b];
    return {
      type: [0x60, ...list(this.parameters.map((type) => [type])), ...list(results.map((type) => [type]))],
      code: [...unsigned(body.length), ...body],
    };
  }
}

/** The address `count` numbers behind a pointer. */
function moved(pointer: Variable, count: Code): Code {
  return i32.add(pointer.get, i32.shiftLeft(count, i32.constant(2)));
}

/** One number of the four of a vector, which is evaluated four times. */
const acrossLanes =
  (combine: (a: Code, b: Code) => Code) =>
  (vector: Code): Code => {
    const lane = (index: number): Code => v128.lane(vector, index);
    return combine(combine(lane(0), lane(1)), combine(lane(2), lane(3)));
  };
export const sumOfLanes = acrossLanes(f32.add);
export const largestLane = acrossLanes(f32.max);

function list(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return list([...Buffer.from(value, 'utf8')].map((byte) => [byte]));
}

/** A module of functions that work on the memory imported as `host.memory`. */
export function encodeModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const encoded = functions.map((one) => one.encode());
  const section = (id: number, content: number[]): number[] => [id, ...unsigned(content.length), ...content];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, list(encoded.map(({ type }) => type))),
    ...section(2, list([[...text('host'), ...text('memory'), 0x02, 0x00, 0]])), // at least 0 pages
    ...section(3, list(encoded.map((_, index) => unsigned(index)))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, list(encoded.map(({ code }) => code))),
  ]);
}
