/** From a request to what training takes: what a worker does. Its results are plain data that can be transferred. */
import { messageOf, UserError } from '../../errors.js';
import { Random } from '../../random.js';
import type { BinaryMask, PreparedImage } from '../../types.js';
import { makeSample, type SampleMakers } from './make-sample.js';
import { prepareImage, TEXT_ENCODERS } from '../image/prepare-image.js';
import type { DatasetKind, RequestOf, SampleConversation, SampleOptions, TrainingSample } from './training-sample.js';

/** What all jobs of a worker have in common. */
export interface LoadSettings {
  readonly sample: SampleOptions;
  /** Side of F_V1's input. */
  readonly clipSize: number;
  /** Side of F_V2's input. */
  readonly samSize: number;
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
      readonly conversations: readonly SampleConversation[];
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'bad'; readonly message: string };

/** @throws what is not a UserError: a fault of the program */
export async function loadSample(job: LoadJob, settings: LoadSettings, makers?: SampleMakers): Promise<LoadResult> {
  const options = { ...settings.sample, acceptAllAbsent: job.acceptAllAbsent };
  try {
    const sample = await makeSample(job.request, Random.fromState(job.random), options, makers);
    if (sample === null) return { kind: 'none' };
    const { turns, targets, others = [] } = sample;
    const conversations = [{ turns, targets }, ...others];
    const image = await prepare(sample, asksForMasks(conversations), job.needs, settings);
    return { kind: 'sample', image, conversations: inOneBuffer(conversations) };
  } catch (error) {
    if (error instanceof UserError) return { kind: 'bad', message: messageOf(error) };
    throw error;
  }
}

/** Words alone, and [REJ], need nothing of F_V2. */
function asksForMasks(conversations: readonly SampleConversation[]): boolean {
  return conversations.some(({ targets }) => targets.some(({ mask }) => mask !== null));
}

async function prepare(
  { image }: TrainingSample,
  withMasks: boolean,
  all: ReadonlySet<string>,
  { clipSize, samSize }: LoadSettings,
): Promise<PreparedImage | null> {
  const needs = withMasks ? all : new Set([...all].filter((name) => TEXT_ENCODERS.has(name)));
  return needs.size > 0 ? prepareImage(await image(), clipSize, samSize, needs) : null;
}

/** The buffers of a result, to be moved to another thread instead of copied. */
export function buffersOf(result: LoadResult): ArrayBuffer[] {
  if (result.kind !== 'sample') return [];
  const { image, conversations } = result;
  const mask = conversations.flatMap(({ targets }) => targets).find((target) => target.mask !== null)?.mask?.data;
  const arrays = [...Object.values(image?.inputs ?? {}), ...(mask === undefined ? [] : [mask])];
  return arrays.map((array) => array.buffer as ArrayBuffer);
}

/** Masks as parts of one new buffer: some may share theirs, or have one that belongs to a decoder and cannot be moved. */
function inOneBuffer(conversations: readonly SampleConversation[]): SampleConversation[] {
  const sizes = conversations.flatMap(({ targets }) => targets.map(({ mask }) => mask?.data.length ?? 0));
  const all = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let end = 0;
  const moved = (mask: BinaryMask): BinaryMask => {
    const data = all.subarray(end, (end += mask.data.length));
    data.set(mask.data);
    return { data, height: mask.height, width: mask.width };
  };
  return conversations.map(({ turns, targets }) => ({
    turns,
    targets: targets.map(({ text, mask }) => ({ text, mask: mask === null ? null : moved(mask) })),
  }));
}
