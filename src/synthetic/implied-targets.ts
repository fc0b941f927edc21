/**
 * Objects of a scene that are implied, not named: "the shape without corners", "the thing with the colour of grass".
 * What the embedded benchmark has of reasoning segmentation: shape and colour words have to be concluded.
 */
import type { Random } from '../random.js';
import { objectsLike } from './expressions.js';
import { showsWhole } from './records.js';
import type { Scene } from './scene.js';
import type { Colour, Shape } from './shapes.js';

export interface ImpliedTarget {
  /** Index of the scene's object, whose whole outline shows. */
  readonly object: number;
  /** Ways to imply it, each of it alone; at least one. Without article or full stop. */
  readonly texts: readonly string[];
  /** Why it is this one, in words. */
  readonly explanation: string;
}

const SHAPE_HINTS: Readonly<Record<Shape, readonly string[]>> = {
  circle: ['shape without corners', 'thing that would roll down a hill', 'thing like a coin'],
  square: ['shape with four equal sides', 'thing like a window', 'thing like a chessboard'],
  triangle: ['shape with three corners', 'thing like the roof of a house', 'thing like a slice of pizza'],
  bar: ['long and narrow shape', 'thing like a plank', 'thing like a ruler'],
};

const COLOUR_HINTS: Readonly<Record<Colour, readonly string[]>> = {
  red: ['blood', 'ripe tomatoes', 'a fire engine'],
  green: ['grass', 'leaves in spring', 'cucumbers'],
  blue: ['a clear sky', 'the sea', 'denim trousers'],
  yellow: ['the sun', 'lemons', 'bananas'],
  purple: ['ripe plums', 'lavender', 'grapes'],
  white: ['fresh snow', 'milk', 'paper'],
};

/** An object that can be implied, and up to `count` ways to do so; null where the scene has none. */
export function impliedTarget(scene: Scene, random: Random, count: number): ImpliedTarget | null {
  for (const index of random.shuffle([...scene.objects.keys()])) {
    const object = scene.objects[index];
    if (object === undefined || !showsWhole(scene, index)) continue;
    const { colour, shape } = object;
    const isOnly = (noun: Parameters<typeof objectsLike>[1]): boolean => objectsLike(scene, noun).length === 1;
    const shapeTexts = isOnly({ colour: null, shape }) ? SHAPE_HINTS[shape] : [];
    const colourTexts = isOnly({ colour, shape: null })
      ? COLOUR_HINTS[colour].map((thing) => `thing with the colour of ${thing}`)
      : [];
    // Both are only needed where neither says it alone.
    const both = `${random.pick(SHAPE_HINTS[shape])} that has the colour of ${random.pick(COLOUR_HINTS[colour])}`;
    const alone = [...shapeTexts, ...colourTexts];
    const texts = alone.length === 0 && isOnly({ colour, shape }) ? [both] : random.sample(alone, count);
    if (texts.length === 0) continue;
    const explanation = `It is the ${colour} ${shape}: ${colour} is the colour of ${COLOUR_HINTS[colour][0] ?? ''}, and a ${shape} is a ${SHAPE_HINTS[shape][0] ?? ''}.`;
    return { object: index, texts, explanation };
  }
  return null;
}
