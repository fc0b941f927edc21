/** From a request to facts and encoder inputs, the work of a worker thread. Results are plain data, to be transferred. */
import { messageOf, UserError } from '../../errors.js';
import { Random } from '../../random.js';
import type { BinaryMask, PreparedImage } from '../../types.js';
import type { DatasetKind, Facts } from '../facts.js';
import { type Pictures, prepareImage, textEncoders } from '../image/prepare-image.js';
import { makeReasonSample } from '../reason/reason-seg.js';
import { makeReferSample } from '../refer/refer-dataset.js';
import { makeSemSegSample } from '../sem-seg/sem-seg-sample.js';
import { makeVqaSample } from '../vqa/llava-instruct.js';
import type { MakeSample, RequestOf, SampleOptions, TrainingSample } from './training-sample.js';

/** How samples are made, by kind. A maker is only ever given requests of its own kind. */
export type SampleMakers = Readonly<Partial<Record<DatasetKind, MakeSample<never>>>>;

export const SAMPLE_MAKERS: SampleMakers = {
  sem_seg: makeSemSegSample,
  refer_seg: makeReferSample,
  vqa: makeVqaSample,
  reason_seg: makeReasonSample,
};

export function makeSample(
  request: RequestOf<DatasetKind>,
  random: Random,
  options: SampleOptions,
  makers: SampleMakers = SAMPLE_MAKERS,
): Promise<TrainingSample | null> {
  const make = makers[request.kind];
  if (make === undefined) throw new Error(`makeSample: nothing makes samples of the kind ${request.kind}`);
  return make(request as never, random, options);
}

/** Settings shared by all jobs of a worker. */
export interface LoadSettings {
  readonly sample: SampleOptions;
  readonly pictures: Pictures;
  /** Whether absent targets are answered with a mask, an empty one, which needs the encoders for masks too. */
  readonly emptyMasks?: boolean;
}

export interface LoadJob {
  readonly request: RequestOf<DatasetKind>;
  /** State of the generator of the draw. */
  readonly random: readonly number[];
  readonly acceptAllAbsent: boolean;
  /** Encoders whose features the caller has yet to compute; those for masks alone only count where masks are asked for. */
  readonly needs: ReadonlySet<string>;
}

/** `none`: another is to be drawn. `bad`: the files of this sample cannot be used. */
export type LoadResult =
  | {
      readonly kind: 'sample';
      /** null where no encoder needs it: then it is not even decoded. */
      readonly image: PreparedImage | null;
      readonly facts: Facts;
      /** State of the generator behind the draws of the facts. */
      readonly random: readonly number[];
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'bad'; readonly message: string };

/** @throws what is not a UserError: a fault of the program */
export async function loadSample(job: LoadJob, settings: LoadSettings, makers?: SampleMakers): Promise<LoadResult> {
  const options = { ...settings.sample, acceptAllAbsent: job.acceptAllAbsent };
  try {
    const random = Random.fromState(job.random);
    const sample = await makeSample(job.request, random, options, makers);
    if (sample === null) return { kind: 'none' };
    const { targets } = sample.facts;
    const withMasks = targets.some(({ mask }) => settings.emptyMasks === true || mask !== null);
    const forText = textEncoders(settings.pictures);
    const needs = withMasks ? job.needs : new Set([...job.needs].filter((name) => forText.has(name)));
    const image = needs.size > 0 ? prepareImage(await sample.image(), settings.pictures, needs) : null;
    return { kind: 'sample', image, facts: inOneBuffer(sample.facts), random: random.state };
  } catch (error) {
    if (error instanceof UserError) return { kind: 'bad', message: messageOf(error) };
    throw error;
  }
}

/** The buffers of a result, to be moved to another thread instead of copied. */
export function buffersOf(result: LoadResult): ArrayBuffer[] {
  if (result.kind !== 'sample') return [];
  const { image, facts } = result;
  const mask = facts.targets.find((target) => target.mask !== null)?.mask?.data;
  const arrays = [...Object.values(image?.inputs ?? {}), ...(mask === undefined ? [] : [mask])];
  return arrays.map((array) => array.buffer as ArrayBuffer);
}

/** Masks as parts of one new buffer: some share theirs, others have one that belongs to a decoder and cannot be moved. */
function inOneBuffer(facts: Facts): Facts {
  const all = new Uint8Array(facts.targets.reduce((sum, { mask }) => sum + (mask?.data.length ?? 0), 0));
  let end = 0;
  const moved = (mask: BinaryMask): BinaryMask => {
    const data = all.subarray(end, (end += mask.data.length));
    data.set(mask.data);
    return { data, height: mask.height, width: mask.width };
  };
  return { ...facts, targets: facts.targets.map(({ mask, ...rest }) => ({ ...rest, mask: mask && moved(mask) })) };
}
