/** Data sets whose samples are made up: what an image's name begins with says what happens when it is loaded. */
import type { SampleMakers } from '../../src/data/sampling/load-sample.js';
import type { AnySet } from '../../src/data/sampling/sample-source.js';
import type { DatasetKind, MakeLessons, MakeSample, RequestOf } from '../../src/data/facts.js';
import { UserError } from '../../src/errors.js';
import type { BinaryMask } from '../../src/types.js';

const HEIGHT = 24;
const WIDTH = 36;

/** `names` are the images; with a number there are so many good ones. */
export function fakeSet(name: string, kind: DatasetKind, names: readonly string[] | number): AnySet {
  const images = typeof names === 'number' ? Array.from({ length: names }, (_, i) => `good-${i}`) : names;
  return {
    name,
    kind,
    length: images.length,
    requestAt: (index) => {
      const image = images[index] ?? '';
      if (image.startsWith('no-request')) throw new UserError(`${image}.json: annotation 7 does not exist.`);
      return { kind, set: name, image };
    },
  };
}

const makeFake: MakeSample<RequestOf<DatasetKind>> = async ({ image }, random, options) => {
  const drawn = random.uint32();
  // Ready out of order, as files are.
  await new Promise((resolve) => setTimeout(resolve, drawn % 5));
  const absent = image.startsWith('absent') || (image.startsWith('half-absent') && drawn % 2 === 0);
  if (image.startsWith('none') || (absent && options.acceptAllAbsent !== true)) return null;
  if (image.startsWith('bad')) throw new UserError(`Cannot read ${image} as an image: it is damaged.`);
  if (image.startsWith('fault')) throw new TypeError('a fault of the program');
  if (image.startsWith('exit')) process.exit(3);
  if (image.startsWith('memory')) return runOutOfMemory();
  const pixels = new Uint8Array(HEIGHT * WIDTH * 3).fill(drawn % 256);
  const mask = (value: number): BinaryMask => {
    return { data: new Uint8Array(HEIGHT * WIDTH).fill(value), height: HEIGHT, width: WIDTH };
  };
  const shared = mask(1);
  return {
    image: () => {
      if (image.startsWith('damaged')) return Promise.reject(new UserError(`${image} is cut off.`));
      return Promise.resolve({ data: pixels, height: HEIGHT, width: WIDTH });
    },
    facts: {
      kind: 'refer_seg',
      height: HEIGHT,
      width: WIDTH,
      explanation: null,
      targets: [
        { text: 'a', wording: 'expression', mask: absent ? null : shared },
        ...(absent
          ? []
          : ([
              { text: 'b', wording: 'expression', mask: null },
              { text: 'c', wording: 'expression', mask: shared },
              { text: 'd', wording: 'expression', mask: mask(0) },
            ] as const)),
      ],
      turns: [{ user: `<image>\nwhat is ${drawn}?`, assistant: `${image} [SEG]` }],
    },
  };
};

/** A lesson about all targets, and one about the first where none is absent; the second draws from the generator. */
export const fakeLessons: MakeLessons = ({ turns, targets }, random) => {
  const plain = targets.map(({ text, mask }) => ({ text, mask }));
  const and = { turns: [{ user: 'and?', assistant: `[SEG] ${random.uint32()}` }], targets: plain.slice(0, 1) };
  return [{ turns, targets: plain }, ...(plain.length === 1 ? [] : [and])];
};

/** As Node ends a thread whose heap is full. */
function runOutOfMemory(): Promise<never> {
  setImmediate(() => {
    throw Object.assign(new Error('Worker terminated'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
  });
  return new Promise(() => undefined);
}

export const FAKE_MAKERS: SampleMakers = {
  sem_seg: makeFake,
  refer_seg: makeFake,
  vqa: makeFake,
  reason_seg: makeFake,
};
