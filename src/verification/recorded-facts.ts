/** Facts of the datasets as a recording has them: with every draw the first or the last choice. */
import { openTrainingSet } from '../data/dataset-registry.js';
import type { Facts } from '../data/facts.js';
import { makeSample } from '../data/sampling/load-sample.js';
import { Random } from '../random.js';
import { recordedPath } from './datasets-recorded.js';

/** Draws in [0, 1) that make the first and the last of any choices. */
export const FIRST = 0;
export const LAST = 1 - 2 ** -32;
/** Most expressions or classes of a picture that the recordings ask for. */
const PER_PICTURE = 3;

/** Draws these numbers, then always the same. */
export class Scripted extends Random {
  constructor(
    private readonly always: number,
    private readonly before: number[] = [],
  ) {
    super(0);
  }

  override uniform(): number {
    return this.before.shift() ?? this.always;
  }
}

/** The first or last three of all facts of a picture. @param image path inside the data folder, with "/" */
export async function recordedFacts(name: string, image: string, dataDir: string, choice: number): Promise<Facts> {
  const split = name === 'reason_seg' ? image.split('/').at(-2) : undefined;
  const set = openTrainingSet(name, dataDir, split);
  const requests = Array.from({ length: set.length }, (_, i) => set.requestAt(i));
  const request = requests.find((each) => recordedPath(dataDir, each.image) === image);
  if (request === undefined) throw new Error(`${set.name} has no ${image}`);
  const options = { perSample: Infinity, absentClasses: 0, acceptAllAbsent: true };
  const sample = await makeSample(request, new Scripted(choice), options);
  if (sample === null) throw new Error(`${set.name}: nothing to ask for in ${image}`);
  const { targets } = sample.facts;
  return { ...sample.facts, targets: choice === FIRST ? targets.slice(0, PER_PICTURE) : targets.slice(-PER_PICTURE) };
}
