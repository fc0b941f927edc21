/** Reasoning segmentation in ReasonSeg's layout: next to each picture a JSON file of texts and the target's outline. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../random.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import type { Scene } from '../scene.js';
import { type Colour, type Shape, outline } from '../shapes.js';
import { jsonLinesList, type MixturePart, type SetWriter } from './set-writers.js';
import { objectsLike } from '../expressions.js';
import { outlineOf, twoDecimals } from '../records.js';

const TEXTS_PER_IMAGE = 6;
/** Share of the training pictures with whole sentences for texts, and an explanation. */
const SENTENCE_SHARE = 0.5;
const EXPLAINED_SHARE = 0.3;
const ROOT = join('reason_seg', 'ReasonSeg');

export class ReasonWriter implements SetWriter {
  readonly scenes = { train: 'reason', val: 'reason-val' } as const;
  private readonly explanations: unknown[] = [];

  constructor(private readonly root: string) {
    for (const folder of ['train', 'val', 'explanatory']) mkdirSync(join(root, ROOT, folder), { recursive: true });
  }

  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null {
    const target = impliedTarget(scene, random, TEXTS_PER_IMAGE);
    if (target === null) return null;
    const isSentence = random.uniform() < SENTENCE_SHARE;
    const text = target.texts.map((phrase) => (isSentence ? `Which is the ${phrase}?` : phrase));
    // A name is that of one picture, in whichever split, as in the published set.
    const stem = `${part === 'val' ? 'val_' : ''}${String(index).padStart(6, '0')}`;
    // Pixel i spans [i, i + 1) in a scene, and lies at i for OpenCV, which draws these.
    const points = outline(target.object).map(([x, y]) => [twoDecimals(x - 0.5), twoDecimals(y - 0.5)]);
    const annotation = { text, is_sentence: isSentence, shapes: [{ label: 'target', points }] };
    writeFileSync(join(this.root, ROOT, part, `${stem}.json`), `${JSON.stringify(annotation)}\n`);
    if (part === 'train' && random.uniform() < EXPLAINED_SHARE) {
      this.explanations.push({ image: `${stem}.jpg`, query: text[0], outputs: target.explanation });
    }
    return join(ROOT, part, `${stem}.jpg`);
  }

  finish(): void {
    writeFileAtomic(join(this.root, ROOT, 'explanatory', 'train.json'), jsonLinesList(this.explanations));
  }
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

/**
 * An object whose whole outline shows and that can be implied, up to `count` ways to do so, each of it alone, without
 * article or full stop, and why it is this one; null where the scene has none.
 */
function impliedTarget(scene: Scene, random: Random, count: number) {
  for (const index of random.shuffle([...scene.objects.keys()])) {
    const object = scene.objects[index];
    if (object === undefined || !outlineOf(scene, index).isWhole) continue;
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
    return { object, texts, explanation };
  }
  return null;
}
