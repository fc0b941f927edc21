/**
 * How fast samples are loaded: photographs of 640 × 480 as JPEG with five polygons each, to F_V1's 224 and F_V2's 1024
 * pixels and five masks, by one thread. And whether a training step that keeps this thread busy has to wait for them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pictures } from '../data/image/prepare-image.js';
import type { ReferRequest } from '../data/refer/refer-dataset.js';
import { type LoadedSample, SampleLoader } from '../data/sampling/sample-loader.js';
import { type AnySet, WholeEpochs } from '../data/sampling/sample-source.js';
import { median } from '../median.js';
import { encodeJpeg } from '../io/image/image-file.js';
import { Random } from '../random.js';
import { Prefetcher } from '../training/loop/sample-queue.js';
import type { RgbImage } from '../types.js';

export interface LoadingSettings {
  /** Counted runs, after one to warm up. */
  readonly runs: number;
  /** Samples of a run. */
  readonly samples: number;
  /** Seconds that the step keeps this thread busy for each sample. */
  readonly step: number;
}

export interface LoadingResult {
  /** Samples per second of each run, this thread only taking them. */
  readonly rates: readonly number[];
  /** Seconds that each sample was waited for during the busy step. */
  readonly waits: readonly number[];
}

const HEIGHT = 480;
const WIDTH = 640;
const IMAGES = 6;
/** Masks of a conversation. */
const MASKS = 5;
const POLYGON_POINTS = 40;
const AHEAD = 8;
const PICTURES = {
  clip: { transform: 'crop', side: 224, neededFor: 'text' },
  sam: { transform: 'pad', side: 1024, neededFor: 'masks' },
} as const;

/** @param onRun called before every run with the number done, the warm-up among them, and before the busy steps */
export async function measureLoading(settings: LoadingSettings, onRun: (done: number) => void = () => undefined) {
  return withSyntheticSet(IMAGES, async (set) => {
    const loader = loaderOf(set, PICTURES, 1);
    try {
      return await measure(loader, settings, onRun);
    } finally {
      await loader.close();
    }
  });
}

async function measure(loader: SampleLoader, { runs, samples, step }: LoadingSettings, onRun: (done: number) => void) {
  const total = (runs + 2) * samples + 1;
  const load = async (position: number): Promise<LoadedSample> => {
    const sample = await loader.load(position);
    if (sample === null) throw new Error(`measureLoading: no sample at ${position}`);
    return sample;
  };
  const queue = new Prefetcher(load, 0, total, AHEAD, () => undefined);
  try {
    const rates: number[] = [];
    for (let run = 0; run <= runs; run++) {
      onRun(run);
      const start = performance.now();
      for (let i = 0; i < samples; i++) await queue.next();
      if (run > 0) rates.push((1000 * samples) / (performance.now() - start));
    }
    onRun(runs + 1);
    // The runs before have used up what was ahead: the first one is waited for in any case.
    await queue.next();
    await busy(step);
    const waits: number[] = [];
    for (let i = 0; i < samples; i++) {
      const start = performance.now();
      await queue.next();
      waits.push((performance.now() - start) / 1000);
      await busy(step);
    }
    return { rates, waits };
  } finally {
    await queue.close();
  }
}

/** A training step: it leaves this thread once, as the trainer does between two micro-batches, then keeps it. */
async function busy(seconds: number): Promise<void> {
  await nextTurn();
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end);
}

/** `22.1 samples/s in one thread (20.9 – 23.0); ...` */
export function describeLoading({ rates, waits }: LoadingResult, step: number): string {
  const rate = (value: number): string => value.toFixed(1);
  const milliseconds = (value: number): string => `${(1000 * value).toFixed(1)} ms`;
  return (
    `loading: ${rate(median([...rates]))} samples/s in one thread (${rate(Math.min(...rates))} – ` +
    `${rate(Math.max(...rates))}); with steps of ${milliseconds(step)} a sample is waited for ` +
    `${milliseconds(median([...waits]))}, at most ${milliseconds(Math.max(...waits))}`
  );
}

/** A folder that is removed afterwards, and a set of images in it. */
export async function withSyntheticSet<T>(count: number, use: (set: AnySet, folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'gsva-bench-images-'));
  try {
    return await use(await syntheticSet(folder, count), folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Loads the set's images in whole epochs; words are made in no time, in this thread. */
export function loaderOf(set: AnySet, pictures: Pictures, workers: number): SampleLoader {
  const sample = { perSample: MASKS, absentClasses: 0 };
  return new SampleLoader(new WholeEpochs([set], new Random(1)), { pictures, sample, lessons: () => [], workers });
}

/** Waves and noise, as hard to decode as a photograph; each mask is a star of one polygon. */
async function syntheticSet(folder: string, images: number): Promise<AnySet> {
  const random = new Random(1);
  const requests: ReferRequest[] = [];
  for (let i = 0; i < images; i++) {
    const image = join(folder, `${i}.jpg`);
    writeFileSync(image, await encodeJpeg(picture(random)));
    const expressions = Array.from({ length: MASKS }, (_, k) => {
      return { text: `thing ${k}`, masks: [{ segmentation: [star(random)] }] };
    });
    requests.push({ kind: 'refer_seg', set: 'bench', image, height: HEIGHT, width: WIDTH, expressions });
  }
  return { name: 'bench', kind: 'refer_seg', length: images, requestAt: (index) => requests[index] as ReferRequest };
}

function picture(random: Random): RgbImage {
  const data = new Uint8Array(HEIGHT * WIDTH * 3);
  const [along, down] = [8 + 8 * random.uniform(), 8 + 8 * random.uniform()];
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    const wave = 60 * Math.sin((pixel % WIDTH) / (along + (i % 3))) + 40 * Math.cos(Math.floor(pixel / WIDTH) / down);
    data[i] = 116 + wave + random.integer(24);
  }
  return { data, height: HEIGHT, width: WIDTH };
}

function star(random: Random): number[] {
  const radius = 30 + 60 * random.uniform();
  const [x, y] = [100 + 440 * random.uniform(), 100 + 280 * random.uniform()];
  return Array.from({ length: POLYGON_POINTS }, (_, k) => {
    const angle = (2 * Math.PI * k) / POLYGON_POINTS;
    const reach = radius * (0.7 + 0.3 * random.uniform());
    return [x + reach * Math.cos(angle), y + reach * Math.sin(angle)];
  }).flat();
}
