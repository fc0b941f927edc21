/** The recorded model (random weights, 604 tokens) with the recorded tokenizer (600 + 4 tokens): a whole predictor. */
import { readTokenizer } from '../../src/data/read-tokenizer.js';
import * as tf from '../../src/engine/tf.js';
import { Predictor } from '../../src/inference/predictor.js';
import { system } from '../../src/systems/gsva/system.js';
import { LlavaSam } from '../../src/systems/shared/llava-sam.js';
import { Random } from '../../src/random.js';
import { ADDED_TOKENS } from '../../src/systems/shared/decision-tokens.js';
import type { RgbImage } from '../../src/types.js';
import { ModelCase } from '../../src/verification/model-case.js';
import { fixture } from '../helpers/fixtures.js';

export function tinyPredictor(): Predictor {
  const tokenizer = readTokenizer(fixture('tokenizer'));
  tokenizer.addTokens(ADDED_TOKENS);
  return new Predictor(system, new ModelCase(fixture('gsva-tiny')).buildModel(), tokenizer, 'plain');
}

/** The network of a predictor of GSVA. */
export function networkOf({ network }: Predictor): LlavaSam {
  if (network instanceof LlavaSam) return network;
  throw new Error('the network is not a LlavaSam');
}

/** Noise with a few larger patches; seeded. */
export function randomImage(height: number, width: number, seed: number): RgbImage {
  const random = new Random(seed);
  const data = Uint8Array.from({ length: height * width * 3 }, () => random.uint32() & 255);
  data.fill(200, 0, Math.floor(data.length / 3));
  return { data, height, width };
}

/** Makes the head write token `b` where it would have written `a`, and the other way round. */
export function swapHeadColumns(gsva: LlavaSam, a: number, b: number): void {
  const parameter = gsva.namedParameters().get('lm_head.weight');
  if (parameter === undefined) throw new Error('there is no lm_head.weight');
  const { vocabSize } = gsva.config.llm;
  const order = Array.from({ length: vocabSize }, (_, id) => (id === a ? b : id === b ? a : id));
  tf.tidy(() => {
    parameter.variable.write(tf.gather(parameter.variable.read(), tf.tensor1d(order, 'int32'), 1));
  });
}

export function largestGap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let gap = 0;
  for (let i = 0; i < a.length; i++) gap = Math.max(gap, Math.abs((a[i] as number) - (b[i] as number)));
  return gap;
}
