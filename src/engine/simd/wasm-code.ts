/**
 * WebAssembly instructions as lists of bytes, as far as the vector kernels need them (core 2.0 with 128-bit SIMD). An
 * expression is the code that leaves its value on the stack.
 */

/** Code that leaves one value, or none for a statement. */
export type Code = readonly number[];

/** Value types by their byte in the binary format. */
export const I32 = 0x7f;
export const F32 = 0x7d;
export const V128 = 0x7b;
export type ValueType = typeof I32 | typeof F32 | typeof V128;

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of a 32-bit integer. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

function floatBytes(value: number): number[] {
  return [...new Uint8Array(Float32Array.of(value).buffer)];
}

const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
const unary =
  (...opcode: number[]) =>
  (a: Code): Code => [...a, ...opcode];
const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];

export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(value)],
  add: binary(0x6a),
  mul: binary(0x6c),
  and: binary(0x71),
  shiftLeft: binary(0x74),
  shiftRight: binary(0x76), // unsigned
  isAtLeast: binary(0x4f), // unsigned
};

export const f32 = {
  constant: (value: number): Code => [0x43, ...floatBytes(value)],
  fromInt: unary(0xb2),
  add: binary(0x92),
  sub: binary(0x93),
  mul: binary(0x94),
  div: binary(0x95),
  max: binary(0x97),
  sqrt: unary(0x91),
};

export const v128 = {
  constant: (value: number): Code => [...simd(0x0c), ...[0, 1, 2, 3].flatMap(() => floatBytes(value))],
  splat: unary(...simd(0x13)),
  /** Element 0 … 3 as a single number. */
  lane: (a: Code, index: number): Code => [...a, ...simd(0x1f), index],
  add: binary(...simd(0xe4)),
  sub: binary(...simd(0xe5)),
  mul: binary(...simd(0xe6)),
  div: binary(...simd(0xe7)),
  /** b < a ? b : a, and its opposite; NaN in `a` stays. (The min and max of WebAssembly itself cost 8 times as much.) */
  min: binary(...simd(0xea)),
  max: binary(...simd(0xeb)),
  abs: unary(...simd(0xe0)),
  neg: unary(...simd(0xe1)),
  sqrt: unary(...simd(0xe3)),
  and: binary(...simd(0x4e)),
  or: binary(...simd(0x50)),
  /** All bits set where a < b. */
  less: binary(...simd(0x43)),
  /** All bits set where a >= b. */
  isAtLeast: binary(...simd(0x46)),
  /** a where the bits of `mask` are set, else b. */
  select: (a: Code, b: Code, mask: Code): Code => [...a, ...b, ...mask, ...simd(0x52)],
  /** The bits of each number moved up, as whole numbers. */
  shiftBitsLeft: (a: Code, bits: number): Code => [...a, ...i32.constant(bits), ...simd(0xab)],
  /** The same 32 bits four times. */
  bits: (value: number): Code => [
    ...simd(0x0c),
    ...[0, 1, 2, 3].flatMap(() => [...new Uint8Array(Uint32Array.of(value).buffer)]),
  ],
  /** All bits of element 0, none of the others. */
  firstLaneMask: [...simd(0x0c), 0xff, 0xff, 0xff, 0xff, ...new Array<number>(12).fill(0)] as Code,
};

/** Memory access; addresses need no alignment. `offset` is added to the address, in bytes. */
export const memory = {
  load: (address: Code, offset = 0): Code => [...address, ...simd(0x00), 2, ...unsigned(offset)],
  /** Four 16-bit patterns as the lower halves of four numbers' bits. */
  load16: (address: Code, offset = 0): Code => [...address, ...simd(0x04), 1, ...unsigned(offset)],
  /** One number, four times. */
  loadSplat: (address: Code): Code => [...address, ...simd(0x09), 2, 0],
  store: (address: Code, value: Code, offset = 0): Code => [
    ...address,
    ...value,
    ...simd(0x0b),
    2,
    ...unsigned(offset),
  ],
  /** Element 0 alone. */
  storeFirst: (address: Code, value: Code): Code => [...address, ...value, ...simd(0x5a), 2, 0, 0],
};

export const control = {
  getLocal: (index: number): Code => [0x20, ...unsigned(index)],
  setLocal: (index: number, value: Code): Code => [...value, 0x21, ...unsigned(index)],
  /** Repeats `body` until `isDone` holds before a round. */
  loopUntil: (isDone: Code, body: Code): Code => [
    ...[0x02, 0x40], // block
    ...[0x03, 0x40], // loop
    ...isDone,
    ...[0x0d, 1], // leave the block
    ...body,
    ...[0x0c, 0], // again
    ...[0x0b, 0x0b],
  ],
};
