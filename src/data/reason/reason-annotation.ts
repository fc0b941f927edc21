/** ReasonSeg's annotations (LISA, Lai et al. 2024; get_mask_from_json): LabelMe-like JSON with texts and shapes. */
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';

import { UserError, messageOf } from '../../errors.js';
import type { BinaryMask } from '../../types.js';
import { fillPolygon } from '../masks/opencv-polygon.js';
import { JsonPlace } from '../annotation-files.js';

export interface ReasonShape {
  /** Whether the shape belongs to the target or shows what is to be left out of a judgement. */
  readonly role: 'target' | 'ignored';
  /** Corners [x, y] in pixels; at least one. */
  readonly points: readonly (readonly [number, number])[];
}

export interface ReasonAnnotation {
  /** The file, for messages. */
  readonly path: string;
  /** Different ways to ask for the same target; at least one. */
  readonly texts: readonly string[];
  /** Whether the texts are whole sentences, to be asked as they stand, or phrases. */
  readonly isSentence: boolean;
  readonly shapes: readonly ReasonShape[];
}

/** Two masks without a pixel in common. */
export interface ReasonMasks {
  readonly target: BinaryMask;
  readonly ignored: BinaryMask;
}

const NAME = 'ReasonSeg';
/** The characters 0x80 to 0x9f of cp1252; the others are Latin-1's. (Node 20 decodes "windows-1252" as Latin-1.) */
const CP1252_CHARACTERS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';
/** The published files have up to 100 KB. */
const MAX_BYTES = 16 * 2 ** 20;

/** One file, in UTF-8 or (a few published ones) cp1252. @throws UserError where it is missing or malformed */
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
  if (texts.list().length === 0) throw texts.wrong('at least one text');
  return {
    path,
    texts: texts.list().map((text) => {
      if (text.text().trim() === '') throw text.wrong('a text that asks for something');
      return text.text();
    }),
    isSentence: root.key('is_sentence').boolean(),
    shapes: root.key('shapes').list().flatMap(shapeOf),
  };
}

function decodeCp1252(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[\x80-\x9f]/g, (character) => {
    return CP1252_CHARACTERS.charAt(character.charCodeAt(0) - 0x80);
  });
}

/** None for a "flag", which has no meaning any more. */
function shapeOf(shape: JsonPlace): ReasonShape[] {
  const label = shape.key('label').text().toLowerCase();
  if (label === 'flag') return [];
  const points = shape.key('points');
  const corners = points.list().map((point): [number, number] => {
    const [x, y, ...more] = point.list();
    if (x === undefined || y === undefined || more.length > 0) throw point.wrong('a point [x, y]');
    return [x.number(), y.number()];
  });
  if (corners.length === 0) throw points.wrong('at least one point');
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
