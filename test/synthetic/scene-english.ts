/**
 * An evaluator of referring expressions that shares no code with src/synthetic/expressions.ts: it parses the English
 * text and looks at the scene's pixels, so that wording and meaning are checked against each other.
 */
import type { Scene } from '../../src/synthetic/scene.js';

const NOUN = '(?:(red|green|blue|yellow|purple|white) )?(circle|square|triangle|bar|shape)(s?)';
const PHRASE = new RegExp(
  `^(?:(both|all) )?(?:(left|right|top|bottom) )?${NOUN}(?: (left of|right of|above|below) the ${NOUN})?$`,
);

export interface Meaning {
  /** Indices of the objects meant, ascending. */
  readonly objects: number[];
  /** Objects that the (first) noun fits, wherever they are. */
  readonly named: number[];
  /** Objects that the noun of the relation fits. */
  readonly anchors: number[];
  /** Least distance to a border that decides, as a share of the image's side; infinite where no place is named. */
  readonly margin: number;
  readonly number: 'one' | 'both' | 'all' | 'pair';
}

/** Mean position of an object's visible pixels as shares of width and height, from the pixels themselves. */
export function seenAt(scene: Scene, index: number): { x: number; y: number } {
  let [x, y, pixels] = [0, 0, 0];
  for (let row = 0; row < scene.height; row++) {
    for (let column = 0; column < scene.width; column++) {
      if (scene.instances[row * scene.width + column] !== index + 1) continue;
      x += (column + 0.5) / scene.width;
      y += (row + 0.5) / scene.height;
      pixels++;
    }
  }
  return { x: x / pixels, y: y / pixels };
}

/** What an expression says of a scene. Throws where the text is not of this language. */
export function meaningOf(scene: Scene, text: string): Meaning {
  const [first = '', second, ...more] = text.split(' and ');
  if (more.length > 0) throw new Error(`two "and" in "${text}"`);
  const one = simpleMeaning(scene, first);
  if (second === undefined) return one;
  const other = simpleMeaning(scene, second);
  if (one.objects.length !== 1 || other.objects.length !== 1) throw new Error(`a side of "${text}" is not one object`);
  return { ...one, objects: [...one.objects, ...other.objects].sort((a, b) => a - b), number: 'pair' };
}

function simpleMeaning(scene: Scene, text: string): Meaning {
  const match = PHRASE.exec(text);
  if (match === null) throw new Error(`cannot parse "${text}"`);
  const [, count, side, colour, shape, plural, relation, anchorColour, anchorShape, anchorPlural] = match;
  if ((count !== undefined) !== (plural === 's')) throw new Error(`number of "${text}"`);
  if (anchorPlural === 's') throw new Error(`the anchor of "${text}" is plural`);
  const named = like(scene, colour, shape);
  const number = (count ?? 'one') as Meaning['number'];
  if (side !== undefined) return { named, anchors: [], number, ...halfOf(scene, named, side) };
  if (relation === undefined) return { named, anchors: [], number, objects: named, margin: Infinity };
  const anchors = like(scene, anchorColour, anchorShape);
  const [anchor] = anchors;
  if (anchor === undefined) return { named, anchors, number, objects: [], margin: Infinity };
  const at = seenAt(scene, anchor);
  const distances = named
    .filter((index) => index !== anchor)
    .map((index) => {
      const { x, y } = seenAt(scene, index);
      const byWord: Record<string, number> = {
        'left of': at.x - x,
        'right of': x - at.x,
        above: at.y - y,
        below: y - at.y,
      };
      return { index, distance: byWord[relation] ?? NaN };
    });
  return { named, anchors, number, ...positive(distances) };
}

function halfOf(scene: Scene, named: readonly number[], side: string): Pick<Meaning, 'objects' | 'margin'> {
  return positive(
    named.map((index) => {
      const { x, y } = seenAt(scene, index);
      const along = side === 'left' || side === 'right' ? x : y;
      return { index, distance: side === 'left' || side === 'top' ? 0.5 - along : along - 0.5 };
    }),
  );
}

function positive(distances: readonly { index: number; distance: number }[]): Pick<Meaning, 'objects' | 'margin'> {
  return {
    objects: distances.filter(({ distance }) => distance > 0).map(({ index }) => index),
    margin: Math.min(...distances.map(({ distance }) => Math.abs(distance))),
  };
}

/** "shape" is any shape. */
function like(scene: Scene, colour: string | undefined, shape: string | undefined): number[] {
  return scene.objects.flatMap((object, index) =>
    (colour === undefined || object.colour === colour) && (shape === 'shape' || object.shape === shape) ? [index] : [],
  );
}
