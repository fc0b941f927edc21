/** A predictor that encodes no picture twice, for models that share their encoders. */
import { createHash } from 'node:crypto';
import type { Responder } from '../evaluation/responder.js';
import type { Predictor } from '../inference/predictor.js';
import type { EncodedImage } from '../model/image-features.js';
import type { RgbImage } from '../types.js';

export class RememberedImages {
  private readonly known = new Map<string, EncodedImage>();

  /** The predictor's answers; its encoders are always the same. */
  responder(predictor: Pick<Predictor, 'encode' | 'force' | 'generate'>): Responder<EncodedImage> {
    return {
      encode: (images) => this.encode(predictor, images),
      force: (questions) => predictor.force(questions),
      generate: (question, options) => predictor.generate(question, options),
    };
  }

  private async encode(predictor: Pick<Predictor, 'encode'>, images: readonly RgbImage[]): Promise<EncodedImage[]> {
    const keys = images.map(keyOf);
    const fresh = images.filter((_, i) => !this.known.has(keys[i] as string));
    const encoded = await predictor.encode(fresh);
    for (const [i, image] of fresh.entries()) this.known.set(keyOf(image), encoded[i] as EncodedImage);
    return keys.map((key) => this.known.get(key) as EncodedImage);
  }
}

function keyOf({ data, height, width }: RgbImage): string {
  return createHash('sha256').update(`${height} ${width}\n`).update(data).digest('base64');
}
