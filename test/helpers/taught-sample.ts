/** Samples as GSVA is taught them: facts of a dataset with the questions and answers that are made of them. */
import type { Lesson } from '../../src/data/facts.js';
import type { SampleOptions } from '../../src/data/sampling/training-sample.js';
import type { MakeSample } from '../../src/data/sampling/training-sample.js';
import type { Random } from '../../src/random.js';
import { gsvaLessons } from '../../src/systems/gsva/dialogue.js';
import type { RgbImage } from '../../src/types.js';

/** The first lesson, and the others where there are any. */
export type TaughtSample = Lesson & { readonly image: () => Promise<RgbImage>; readonly others?: readonly Lesson[] };

/** A maker of facts as one of samples with their lessons, on one generator. */
export function taught<Request>(make: MakeSample<Request>) {
  return async (request: Request, random: Random, options: SampleOptions): Promise<TaughtSample | null> => {
    const sample = await make(request, random, options);
    if (sample === null) return null;
    const [first, ...others] = gsvaLessons(sample.facts, random);
    if (first === undefined) throw new Error('taught: there is no lesson');
    return { image: sample.image, ...first, ...(others.length === 0 ? {} : { others }) };
  };
}
