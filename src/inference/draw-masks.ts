/**
 * From tokens to decisions, and from decisions to masks: each is grounded on its own image, and its mask enlarged to the
 * image's own size.
 */
import type { Abortable } from '../abortable.js';
import { requireFinite } from '../checkpoints/not-finite.js';
import { pause, stepwise } from '../engine/steps.js';
import * as tf from '../engine/tf.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import { rowsAbout } from '../features/image-rows.js';
import type { Answer, Geometry, GroundingModel, Place, Reading, Vocabulary } from '../systems/system.js';

type Decisions = Pick<Vocabulary, 'found' | 'absent'>;

/** Reading of the logits at one position. */
export interface NextToken {
  /** The most probable token. */
  readonly argmax: number;
  /** Probability of "absent" against "found", the softmax over their tokens alone; 0 where no token says "absent". */
  readonly rejectProbability: number;
}

/** @param logits [V] of one position, finite (whoever reads them from the engine sees to it) */
export function readNextToken(logits: Float32Array, { found, absent }: Decisions): NextToken {
  let argmax = 0;
  for (let id = 1; id < logits.length; id++) {
    if ((logits[id] as number) > (logits[argmax] as number)) argmax = id;
  }
  const [first] = absent;
  if (first === undefined) return { argmax, rejectProbability: 0 };
  const reference = logits[first] as number;
  const weight = (ids: readonly number[]): number =>
    ids.reduce((sum, id) => sum + Math.exp((logits[id] as number) - reference), 0);
  const rejecting = weight(absent);
  return { argmax, rejectProbability: rejecting / (rejecting + weight(found)) };
}

/** Decision that a token makes; null for one that decides nothing. */
export function decisionOf(id: number, { found, absent }: Decisions): Answer | null {
  if (found.includes(id)) return 'found';
  return absent.includes(id) ? 'absent' : null;
}

/** Token of a decision, the `place`-th of its answer. */
export function tokenOf(answer: Answer, place: number, { found, absent }: Decisions): number {
  const [id] = answer === 'absent' ? absent : [];
  return id ?? (found[place % found.length] as number);
}

/**
 * The reference's reading of a teacher-forced answer: where the given answer says "absent", any other token counts as
 * "found"; where it says "found", any other counts as "absent". Without tokens that say "absent" all are found: their
 * masks decide.
 */
export function forcedDecision(argmax: number, given: number, decisions: Decisions): Answer {
  if (decisions.absent.length === 0) return 'found';
  const other = decisionOf(given, decisions) === 'absent' ? 'found' : 'absent';
  const own = other === 'found' ? 'absent' : 'found';
  return decisionOf(argmax, decisions) === own ? own : other;
}

/** Mask logits at the image's size, row-major: 0 and above is inside. `data.length === height * width`. */
export interface MaskLogits {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** A mask takes several copies of its image's features: the most values of one copy for all that are drawn at once. */
const MOST_FEATURE_VALUES = 2 ** 25;

/**
 * @param places their rows ascending
 * @param images of the reading's rows
 * @param signal heard before every batch of masks
 * @returns one mask per place, its logits finite
 * @throws UserError that names the part of the network at fault where they are not
 */
export async function drawMasks(
  network: GroundingModel,
  reading: Parameters<GroundingModel['ground']>[0],
  places: readonly Place[],
  images: readonly Geometry[],
  signal?: Abortable,
): Promise<MaskLogits[]> {
  const sizes = Object.values(reading.features).map(({ size, shape }) => size / shape[0]);
  const atOnce = Math.max(1, Math.floor(MOST_FEATURE_VALUES / Math.max(...sizes)));
  const masks: MaskLogits[] = [];
  for (let first = 0; first < places.length;) {
    await pause(signal);
    const some = oneGrid(reading.rows, places.slice(first, first + atOnce));
    first += some.length;
    const compute = (): tf.Tensor3D[] => {
      const { masks } = network.ground(reading, some);
      return runs(some.map(({ row }) => row)).map(([row, begin, end]) => {
        const image = images[row];
        if (image === undefined) throw new Error(`drawMasks: a place is in row ${row} of ${images.length}`);
        return network.enlarge(tf.slice(masks, [begin, 0, 0], [end - begin, -1, -1]), image);
      });
    };
    const enlarged = tf.tidy(compute);
    const check = (data: Float32Array): Promise<void> =>
      requireFinite(network, 'Answering: the logits of a mask', data, () => {
        tf.dispose(tf.tidy(compute));
      });
    try {
      for (const logits of enlarged) masks.push(...(await readMasks(logits, check)));
    } finally {
      tf.dispose(enlarged);
    }
  }
  return masks;
}

/** A decision whose mask is yet to be drawn. */
export interface Undrawn {
  readonly answer: Answer;
  /** [D] before its token. */
  readonly state: Float32Array;
  /** Place of its token in the conversation. */
  readonly at: number;
}

/**
 * Decisions with the masks of those that were found, all about one image.
 * @param ids of the conversation, the decisions in their places, -200 where the image stands
 */
export async function withMasks<T extends Undrawn>(
  network: GroundingModel,
  image: EncodedImage,
  decided: readonly T[],
  ids: readonly number[],
  signal: Abortable | undefined,
): Promise<(Omit<T, 'state' | 'at'> & { readonly mask: MaskLogits | null })[]> {
  const found = decided.filter(({ answer }) => answer === 'found');
  const masks =
    network.masksFrom === 'states'
      ? await masksOfStates(
          network,
          image,
          found.map(({ state }) => state),
          signal,
        )
      : await masksOfConversation(
          network,
          image,
          ids,
          found.map(({ at }) => at),
          signal,
        );
  return decided.map(({ state: _, at: __, ...decision }) => {
    return { ...decision, mask: decision.answer === 'found' ? (masks.shift() ?? null) : null };
  });
}

/** Masks of some tokens of a conversation about one image, which is read as a whole. @param at places of the tokens */
export async function masksOfConversation(
  network: GroundingModel,
  image: EncodedImage,
  ids: readonly number[],
  at: readonly number[],
  signal?: Abortable,
): Promise<MaskLogits[]> {
  if (at.length === 0) return [];
  const tokens = { inputIds: Int32Array.from(ids), labels: null, lengths: [ids.length], batch: 1, time: ids.length };
  const rows = rowsAbout(network, tokens, [image]);
  const features = stackFeatures(network, [image]);
  let reading: Reading | null = null;
  try {
    reading = await stepwise(network.reading(rows, features), signal);
    const places = at.map((token) => ({ row: 0, states: [rows.flatIndex(0, token) - 1] }));
    return await drawMasks(network, reading, places, [image], signal);
  } finally {
    reading?.dispose();
    tf.dispose(features);
  }
}

/** Masks of states [D], all about one image. */
export async function masksOfStates(
  network: GroundingModel,
  image: EncodedImage,
  states: readonly Float32Array[],
  signal?: Abortable,
): Promise<MaskLogits[]> {
  const [first] = states;
  if (first === undefined) return [];
  const size = first.length;
  const all = new Float32Array(states.length * size);
  for (const [index, state] of states.entries()) all.set(state, index * size);
  const hidden = tf.tensor3d(all, [1, states.length, size]);
  const features = stackFeatures(network, [image]);
  try {
    const places = states.map((_, index) => ({ row: 0, states: [index] }));
    return await drawMasks(network, { hidden, features }, places, [image], signal);
  } finally {
    tf.dispose([hidden, features]);
  }
}

/** The first places, as far as their pictures have one grid of tiles: their masks are of one size. */
function oneGrid(rows: Reading['rows'] | undefined, places: readonly Place[]): readonly Place[] {
  if (rows === undefined) return places;
  const gridOf = ({ row }: Place): string => {
    const { columns, rows: tileRows } = rows.pictureOf(row).grid;
    return `${columns} × ${tileRows}`;
  };
  const other = places.findIndex((place) => gridOf(place) !== gridOf(places[0] as Place));
  return other < 0 ? places : places.slice(0, other);
}

async function readMasks(logits: tf.Tensor3D, check: (data: Float32Array) => Promise<void>): Promise<MaskLogits[]> {
  const [count, height, width] = logits.shape;
  const data = await logits.data<'float32'>();
  await check(data);
  const pixels = height * width;
  return Array.from({ length: count }, (_, i) => ({ data: data.slice(i * pixels, (i + 1) * pixels), height, width }));
}

/** Stretches of equal values: [value, begin, end). */
function runs(values: readonly number[]): [number, number, number][] {
  const found: [number, number, number][] = [];
  for (const [index, value] of values.entries()) {
    const last = found.at(-1);
    if (last?.[0] === value) last[2] = index + 1;
    else found.push([value, index, index + 1]);
  }
  return found;
}
