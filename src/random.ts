/**
 * Seeded random numbers. A generator is always passed in; nothing in this project calls Math.random.
 * The algorithm is xoshiro128** (Blackman & Vigna), seeded through splitmix32, so a state is four 32-bit words
 * that a checkpoint can hold.
 */
export class Random {
  private words: [number, number, number, number];

  constructor(seed: number) {
    let s = seed >>> 0;
    const next = (): number => {
      s = (s + 0x9e3779b9) >>> 0;
      let z = s;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.words = [next(), next(), next(), next()];
  }

  /** The four state words, for a checkpoint. */
  get state(): readonly number[] {
    return [...this.words];
  }

  static fromState(state: readonly number[]): Random {
    const random = new Random(0);
    random.words = [state[0] ?? 1, state[1] ?? 0, state[2] ?? 0, state[3] ?? 0];
    return random;
  }

  /** An independent generator for item `index`, without moving this one. */
  fork(index: number): Random {
    return new Random((Math.imul(this.words[0] ^ (index + 1), 0x9e3779b9) ^ this.words[1]) >>> 0);
  }

  /** 32 random bits. */
  uint32(): number {
    const w = this.words;
    const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));
    const result = Math.imul(rotl(Math.imul(w[1], 5), 7), 9) >>> 0;
    const t = w[1] << 9;
    w[2] ^= w[0];
    w[3] ^= w[1];
    w[1] ^= w[2];
    w[0] ^= w[3];
    w[2] ^= t;
    w[3] = rotl(w[3], 11);
    return result;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.uint32() / 4294967296;
  }

  /** Integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box–Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('Random.pick: the list is empty');
    return items[this.integer(items.length)] as T;
  }

  /**
   * Up to `count` elements, none twice. Where there are fewer, all of them in their order: how the reference draws
   * expressions and classes.
   */
  sample<T>(items: readonly T[], count: number): T[] {
    return items.length < count ? [...items] : this.shuffle(items).slice(0, count);
  }

  /** The list in random order (Fisher–Yates), as a new list. */
  shuffle<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }
}
