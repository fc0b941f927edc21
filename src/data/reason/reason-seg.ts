/**
 * ReasonSeg in its published layout (reference: ReasonSegDataset, ValDataset):
 *
 *   <dataDir>/reason_seg/ReasonSeg/<split>/*.jpg           pictures
 *   <dataDir>/reason_seg/ReasonSeg/<split>/*.json          what is asked about each, and the answer's shapes
 *   <dataDir>/reason_seg/ReasonSeg/explanatory/train.json  why, in words, for some pictures of train
 */
import { isUtf8 } from 'node:buffer';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf, UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import type { BinaryMask } from '../../types.js';
import { JsonPlace, readRecords } from '../annotation-files.js';
import { type MakeSample, type RequestOf, targetFacts, type TrainingSet, trainingSet } from '../facts.js';
import type { Size } from '../image/size-mismatch.js';
import { fillPolygon } from '../masks/opencv-polygon.js';
import type { EvaluatedTarget, ReferringImage } from '../refer/refer-dataset.js';

export type ReasonSegSplit = 'train' | 'val' | 'test';

const NAME = 'ReasonSeg';
const ADVICE = 'Put the published folders train, val, test and explanatory into <data>/reason_seg/ReasonSeg.';

export interface ReasonRequest extends RequestOf<'reason_seg'> {
  /** Path of the image's JSON file, to be read by readReasonAnnotation. */
  readonly annotation: string;
  /** Why the target is what is asked for; in train, for some. */
  readonly explanation: string | null;
}

/**
 * Pictures of a split, in the order of their names.
 * @throws UserError where a folder, explanations or (outside of train) an annotation is missing
 */
export function openReasonSeg(dataDir: string, split: ReasonSegSplit): TrainingSet<ReasonRequest> {
  const root = join(dataDir, 'reason_seg', 'ReasonSeg');
  const folder = join(root, split);
  if (!existsSync(folder)) throw new UserError(`Reading ${NAME}: ${folder} is missing. ${ADVICE}`);
  const names = readdirSync(folder).filter((name) => name.endsWith('.jpg'));
  if (names.length === 0) throw new UserError(`Reading ${NAME}: ${folder} has no .jpg files. ${ADVICE}`);
  const explanations = split === 'train' ? readExplanations(join(root, 'explanatory', 'train.json')) : null;
  const images = names.sort().map((name) => {
    const annotation = join(folder, name.replace(/\.jpg$/, '.json'));
    if (split !== 'train' && !existsSync(annotation)) {
      throw new UserError(`Reading ${NAME}: ${annotation} is missing next to ${name}. ${ADVICE}`);
    }
    return { image: join(folder, name), annotation, explanation: explanations?.get(name) ?? null };
  });
  return trainingSet(NAME, 'reason_seg', images, (image) => image);
}

/** By the name of the picture. */
function readExplanations(path: string): Map<string, string> {
  if (!existsSync(path)) throw new UserError(`Reading ${NAME}: ${path} is missing. ${ADVICE}`);
  const explanations = new Map<string, string>();
  readRecords(NAME, path, ADVICE, (record) => {
    explanations.set(record.key('image').string(), record.key('outputs').string());
  });
  return explanations;
}

/** Draws up to `perSample` texts. What the annotation says to ignore is not in the mask. */
export const makeReasonSample: MakeSample<ReasonRequest> = async (request, random, { perSample }) => {
  const annotation = readReasonAnnotation(request.annotation);
  const { height, width } = await readImageSize(request.image);
  const { target: mask } = reasonMasks(annotation, height, width);
  if (!mask.data.includes(1)) {
    throw new UserError(
      `Making a sample of ${request.set}: no shape of ${request.annotation} leaves a target in ${request.image}. ` +
        'Correct it or leave the image out.',
    );
  }
  const wording = annotation.isSentence ? 'sentence' : 'expression';
  const targets = random.sample(annotation.texts, perSample).map((text) => ({ text, wording, mask }) as const);
  const { explanation } = request;
  const facts = { ...targetFacts('reason_seg', mask, targets), explanation };
  return { image: () => readImage(request.image), facts };
};

export interface IgnoreOptions {
  /** Leave ignored regions out of the judgement, as LISA; as published by GSVA they belong to the target. */
  readonly honourIgnore: boolean;
}

/**
 * ReasonSeg for evaluation (reference: ValDataset): one question per image, with the first of its texts. Reads the
 * annotations and the sizes of the pictures.
 * @throws UserError where a file is missing or malformed
 */
export async function openReasonEvaluation(dataDir: string, split: ReasonSegSplit, { honourIgnore }: IgnoreOptions) {
  const set = openReasonSeg(dataDir, split);
  const images: ReferringImage[] = [];
  for (let imageId = 0; imageId < set.length; imageId++) {
    const { image: path, annotation } = set.requestAt(imageId);
    const [text = ''] = readReasonAnnotation(annotation).texts;
    const expressions = [{ text: text.trim(), annotationIds: [0], isEmpty: false }];
    images.push({ imageId, fileName: basename(path), path, ...(await sizeOf(path)), expressions });
  }
  const targets = ({ path, height, width }: ReferringImage): EvaluatedTarget[] => {
    const annotation = readReasonAnnotation(path.replace(/\.jpg$/, '.json'));
    const [text = ''] = annotation.texts;
    const masks = reasonMasks(annotation, height, width);
    const target = {
      expression: text.trim(),
      // The reference's answer is [SEG], whatever the shapes are.
      isEmpty: false,
      mask: honourIgnore ? masks.target : referenceReasonMask(masks),
      form: annotation.isSentence ? 'reason-sentence' : 'reason-phrase',
    } as const;
    return [honourIgnore ? { ...target, ignored: masks.ignored } : target];
  };
  return { images, targets };
}

/** A picture that cannot be read has no size yet; the fault is reported or counted when its turn comes. */
async function sizeOf(path: string): Promise<Size> {
  try {
    return await readImageSize(path);
  } catch (error) {
    if (error instanceof UserError) return { height: 0, width: 0 };
    throw error;
  }
}

interface ReasonShape {
  /** Whether the shape belongs to the target or shows what is to be left out of a judgement. */
  readonly role: 'target' | 'ignored';
  /** Corners [x, y] in pixels; at least one. */
  readonly points: readonly (readonly [number, number])[];
}

interface ReasonAnnotation {
  /** The file, for messages. */
  readonly path: string;
  /** Different ways to ask for the same target; at least one. */
  readonly texts: readonly string[];
  /** Whether the texts are whole sentences, to be asked as they stand, or phrases. */
  readonly isSentence: boolean;
  readonly shapes: readonly ReasonShape[];
}

/** Two masks without a pixel in common. */
type ReasonMasks = Readonly<Record<'target' | 'ignored', BinaryMask>>;

/** The characters 0x80 to 0x9f of cp1252; the others are Latin-1's. (Node 20 decodes "windows-1252" as Latin-1.) */
const CP1252_CHARACTERS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
/** The published files have up to 100 KB. */
const MAX_BYTES = 16 * 2 ** 20;

/**
 * One annotation (LISA, Lai et al. 2024; get_mask_from_json): LabelMe-like JSON with texts and shapes, in UTF-8 or (a few
 * published ones) cp1252. @throws UserError where it is missing or malformed
 */
export function readReasonAnnotation(path: string): ReasonAnnotation {
  let value: unknown;
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_BYTES}`);
    const bytes = readFileSync(path);
    value = JSON.parse(isUtf8(bytes) ? new TextDecoder().decode(bytes) : decodeCp1252(bytes));
  } catch (error) {
    throw new UserError(
      `Reading ${NAME}: ${path} cannot be read as JSON (${messageOf(error)}). Use the published files.`,
    );
  }
  const root = new JsonPlace(value, NAME, path);
  const texts = root.key('text');
  if (texts.array().length === 0) texts.fail('at least one text');
  return {
    path,
    texts: texts.array().map((text) => {
      if (text.string().trim() === '') text.fail('a text that asks for something');
      return text.string();
    }),
    isSentence: root.key('is_sentence').boolean(),
    shapes: root.key('shapes').array().flatMap(shapeOf),
  };
}

function decodeCp1252(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[\x80-\x9f]/g, (character) => {
    return CP1252_CHARACTERS.charAt(character.charCodeAt(0) - 0x80);
  });
}

/** None for a "flag", which has no meaning any more. */
function shapeOf(shape: JsonPlace): ReasonShape[] {
  const label = shape.key('label').string().toLowerCase();
  if (label === 'flag') return [];
  const points = shape.key('points');
  const corners = points.array().map((point): [number, number] => {
    const [x, y, ...more] = point.array();
    if (x === undefined || y === undefined || more.length > 0) return point.fail('a point [x, y]');
    return [x.number(), y.number()];
  });
  if (corners.length === 0) points.fail('at least one point');
  return [{ role: label.includes('ignore') ? 'ignored' : 'target', points: corners }];
}

/** Masks at the image's size, larger shapes drawn first. @throws UserError where a shape cannot be drawn */
export function reasonMasks(annotation: ReasonAnnotation, height: number, width: number): ReasonMasks {
  const blank = (): BinaryMask => ({ data: new Uint8Array(height * width), height, width });
  const [target, ignored] = [blank(), blank()];
  try {
    const areas = annotation.shapes.map((shape) => {
      const alone = blank();
      fillPolygon(alone, shape.points, 1);
      return alone.data.reduce((sum, value) => sum + value, 0);
    });
    // Of shapes of one size the later is drawn first, as in the reference.
    const order = [...areas.keys()].sort((a, b) => (areas[b] as number) - (areas[a] as number) || b - a);
    for (const i of order) {
      const { role, points } = annotation.shapes[i] as ReasonShape;
      fillPolygon(target, points, role === 'target' ? 1 : 0);
      fillPolygon(ignored, points, role === 'ignored' ? 1 : 0);
    }
  } catch (error) {
    throw new UserError(`Reading ${NAME}: ${annotation.path}: ${messageOf(error)}`);
  }
  return { target, ignored };
}

/** Target of the reference in evaluation: ignored regions included, unlike LISA's. GSVA's published figures use it. */
export function referenceReasonMask({ target, ignored }: ReasonMasks): BinaryMask {
  return { ...target, data: target.data.map((value, i) => value | (ignored.data[i] as number)) };
}
