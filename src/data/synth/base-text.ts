/**
 * Questions and answers about scenes, from which the base's CLIP and LLaMA learn to see: what is there and where, how
 * many, which colour, which shape. They know nothing of [SEG], [REJ] or masks.
 *
 * A place is a cell of an 8×8 grid over the image, named as on a chess board but from the top: columns a–h, rows 1–8.
 * The answer to an expression begins with the place itself ("d6", or "no"), so that the state that must decide whether
 * a thing is there must know where it is: the same state from which GSVA later makes the mask's query.
 */
import type { Random } from '../../random.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import type { Turn } from '../conversation.js';
import { centreShare, type Noun, objectsLike, sceneExpressions, type SceneExpression } from './expressions.js';
import type { Scene } from './scene.js';
import { COLOURS, SHAPES } from './shapes.js';

const COLUMNS = 'abcdefgh';
const GRID = COLUMNS.length;
const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'] as const;

/**
 * A conversation about one scene: a question about several expressions at once, then a short one.
 * @param expressions how many expressions the first question holds at most
 */
export function baseConversation(scene: Scene, random: Random, expressions: number): Turn[] {
  const asked = random.shuffle(sceneExpressions(scene, random, expressions));
  const short = random.shuffle([colourTurn, shapeTurn, countTurn, listTurn, listTurn]).slice(0, 1);
  const turns = [
    presenceTurn(scene, asked),
    ...short.map((make) => make(scene, random)).filter((turn) => turn !== null),
  ];
  return turns.map((turn, index) => (index === 0 ? { ...turn, user: `${IMAGE_PLACEHOLDER}\n${turn.user}` } : turn));
}

/** "What are a, b in this image?" – "a: d6, b: no." */
export function presenceTurn(scene: Scene, asked: readonly SceneExpression[]): Turn {
  const answers = asked.map(
    ({ text, objects }) => `${text}: ${objects.length === 0 ? 'no' : placesOf(scene, objects)}`,
  );
  return {
    user: `What are ${asked.map(({ text }) => text).join(', ')} in this image?`,
    assistant: `${answers.join(', ')}.`,
  };
}

/** Cells of the objects from left to right, joined by "and". */
export function placesOf(scene: Scene, objects: readonly number[]): string {
  return objects
    .map((index) => centreShare(scene, index))
    .sort(([a], [b]) => a - b)
    .map(placeOf)
    .join(' and ');
}

function placeOf([x, y]: readonly [number, number]): string {
  const cell = (share: number): number => Math.min(GRID - 1, Math.floor(share * GRID));
  return `${COLUMNS.charAt(cell(x))}${cell(y) + 1}`;
}

/** The colour of the only object of a shape. */
function colourTurn(scene: Scene, random: Random): Turn | null {
  const only = SHAPES.filter((shape) => objectsLike(scene, { colour: null, shape }).length === 1);
  if (only.length === 0) return null;
  const shape = random.pick(only);
  const [index = 0] = objectsLike(scene, { colour: null, shape });
  return { user: `What colour is the ${shape}?`, assistant: scene.objects[index]?.colour ?? '' };
}

/** The shape of the only object of a colour. */
function shapeTurn(scene: Scene, random: Random): Turn | null {
  const only = COLOURS.filter((colour) => objectsLike(scene, { colour, shape: null }).length === 1);
  if (only.length === 0) return null;
  const colour = random.pick(only);
  const [index = 0] = objectsLike(scene, { colour, shape: null });
  return { user: `What is the ${colour} shape?`, assistant: scene.objects[index]?.shape ?? '' };
}

function countTurn(scene: Scene, random: Random): Turn {
  const choice = random.uniform();
  const noun: Noun = {
    colour: choice < 0.5 ? random.pick(COLOURS) : null,
    shape: choice < 0.5 ? null : choice < 0.9 ? random.pick(SHAPES) : null,
  };
  const words = `${noun.colour === null ? '' : `${noun.colour} `}${noun.shape ?? 'shape'}s`;
  return { user: `How many ${words} are there?`, assistant: NUMBERS[objectsLike(scene, noun).length] ?? 'many' };
}

/** Every object with its cell, from left to right. */
function listTurn(scene: Scene): Turn {
  const objects = scene.objects
    .map((object, index) => ({ ...object, share: centreShare(scene, index) }))
    .sort((a, b) => a.share[0] - b.share[0])
    .map(({ colour, shape, share }) => `${colour} ${shape} ${placeOf(share)}`);
  return { user: 'What is in this image?', assistant: `${objects.join(', ')}.` };
}
