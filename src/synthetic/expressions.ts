/**
 * Referring expressions about a scene, with what they refer to: single targets by attribute, position or relation,
 * several targets at once, and expressions that nothing in the scene fits (about a third).
 *
 * A phrase is a little structure with one meaning (`targetsOf`) and one wording (`wordingOf`). A phrase is only used
 * where its meaning is clear: nothing that it could be about lies within a margin of a half's or an anchor's border.
 */
import type { Random } from '../random.js';
import { type Scene, type SceneObject, weightedIndex } from './scene.js';
import { type Colour, COLOURS, type Shape, SHAPES } from './shapes.js';

export const SIDES = ['left', 'right', 'top', 'bottom'] as const;
type Side = (typeof SIDES)[number];
export const RELATIONS = ['left of', 'right of', 'above', 'below'] as const;
type Relation = (typeof RELATIONS)[number];

/** Weights of the kinds; an impossible draw is repeated. */
const KIND_WEIGHTS = {
  attribute: 26,
  position: 15,
  relation: 12,
  several: 14,
  'absent-object': 14,
  'absent-position': 10,
  'absent-relation': 9,
};
export type ExpressionKind = keyof typeof KIND_WEIGHTS;
export const EXPRESSION_KINDS = Object.keys(KIND_WEIGHTS) as readonly ExpressionKind[];

/** Attributes of a noun phrase; null for an open one. */
export interface Noun {
  readonly colour: Colour | null;
  readonly shape: Shape | null;
}

interface Phrase {
  readonly noun: Noun;
  /** In this half of the image. */
  readonly side?: Side;
  /** In this relation to the only object that fits the anchor. */
  readonly relation?: { readonly word: Relation; readonly anchor: Noun };
  /** 'one' names a single object; 'both' exactly two, 'all' at least three. */
  readonly number: 'one' | 'both' | 'all';
  /** "red square and blue bar": a second single object. */
  readonly and?: Noun;
}

export interface SceneExpression {
  readonly text: string;
  readonly kind: ExpressionKind;
  /** Indices of the scene's objects; none for an absent target. */
  readonly objects: readonly number[];
}

/** Distance from a border, as a share of the image's side, below which a position is not called clear. */
export const MARGIN = 0.04;

const ATTEMPTS = 40;

/** Up to `count` different expressions about the scene. */
export function sceneExpressions(scene: Scene, random: Random, count: number): SceneExpression[] {
  const found = new Map<string, SceneExpression>();
  for (let attempt = 0; attempt < ATTEMPTS * count && found.size < count; attempt++) {
    const kind = EXPRESSION_KINDS[weightedIndex(random, Object.values(KIND_WEIGHTS))] as ExpressionKind;
    const expression = drawExpression(scene, random, kind);
    if (expression !== null && !found.has(expression.text)) found.set(expression.text, expression);
  }
  return [...found.values()];
}

/** One expression of a kind, or null when the scene has none (or the draw was unlucky). */
export function drawExpression(scene: Scene, random: Random, kind: ExpressionKind): SceneExpression | null {
  const phrase = drawPhrase(scene, random, kind);
  if (phrase === null) return null;
  const objects = targetsOf(scene, phrase);
  if (objects === null) return null;
  const isAbsent = kind.startsWith('absent');
  if (isAbsent !== (objects.length === 0)) return null;
  if (!isAbsent && !numberFits(phrase, objects.length)) return null;
  return { text: wordingOf(phrase), kind, objects };
}

/** The objects a phrase is about, by index; null where that is not clear. */
export function targetsOf(scene: Scene, phrase: Phrase): number[] | null {
  const named = objectsLike(scene, phrase.noun);
  if (phrase.and !== undefined) {
    const others = objectsLike(scene, phrase.and);
    return named.length === 1 && others.length === 1 ? [...new Set([...named, ...others])].sort((a, b) => a - b) : null;
  }
  const { side, relation } = phrase;
  if (side !== undefined) return clearly(named, (index) => distance(scene, index, side, [0.5, 0.5]));
  if (relation === undefined) return named;
  const [anchor, ...more] = objectsLike(scene, relation.anchor);
  if (anchor === undefined || more.length > 0) return null;
  const candidates = named.filter((index) => index !== anchor);
  return clearly(candidates, (index) => distance(scene, index, relation.word, centreShare(scene, anchor)));
}

/** The English of a phrase, lower case. */
export function wordingOf({ noun, side, relation, number, and }: Phrase): string {
  const plural = number !== 'one';
  const words = [plural ? number : '', side ?? '', nounWords(noun, plural)].filter((word) => word !== '').join(' ');
  if (and !== undefined) return `${words} and ${nounWords(and, false)}`;
  return relation === undefined ? words : `${words} ${relation.word} the ${nounWords(relation.anchor, false)}`;
}

/** Indices of the objects that a noun fits. */
export function objectsLike(scene: Scene, noun: Noun): number[] {
  return scene.objects.flatMap((object, index) => (fits(object, noun) ? [index] : []));
}

function fits(object: SceneObject, { colour, shape }: Noun): boolean {
  return (colour === null || object.colour === colour) && (shape === null || object.shape === shape);
}

/** "red circles"; "shape" where the noun leaves it open. */
export function nounWords({ colour, shape }: Noun, plural: boolean): string {
  const shapeWord = (shape ?? 'shape') + (plural ? 's' : '');
  return colour === null ? shapeWord : `${colour} ${shapeWord}`;
}

/** Axis of a word, x or y, and its direction along it. */
const DIRECTIONS: Readonly<Record<Side | Relation, readonly [axis: 0 | 1, sign: 1 | -1]>> = {
  ...{ left: [0, -1], right: [0, 1], top: [1, -1], bottom: [1, 1] },
  ...{ 'left of': [0, -1], 'right of': [0, 1], above: [1, -1], below: [1, 1] },
};

/** Distance from an origin in the direction of a word, as a share of the image's side. */
function distance(scene: Scene, index: number, word: Side | Relation, origin: readonly [number, number]): number {
  const [axis, sign] = DIRECTIONS[word];
  return sign * (centreShare(scene, index)[axis] - origin[axis]);
}

/** Those at a positive distance; null if any is too near the border to tell. */
function clearly(candidates: readonly number[], distanceOf: (index: number) => number): number[] | null {
  if (candidates.some((index) => Math.abs(distanceOf(index)) < MARGIN)) return null;
  return candidates.filter((index) => distanceOf(index) > 0);
}

/** Centroid of the visible pixels as shares of width and height. */
export function centreShare(scene: Scene, index: number): [number, number] {
  const object = scene.objects[index];
  if (object === undefined) throw new RangeError(`scene has no object ${index}`);
  return [object.centre[0] / scene.width, object.centre[1] / scene.height];
}

function numberFits({ number, and }: Phrase, count: number): boolean {
  if (and !== undefined || number === 'both') return count === 2;
  return number === 'all' ? count >= 3 : count === 1;
}

function drawPhrase(scene: Scene, random: Random, kind: ExpressionKind): Phrase | null {
  const noun = nounOf(random, random.pick(scene.objects));
  if (kind === 'attribute') return { noun, number: 'one' };
  if (kind === 'position' || kind === 'absent-position') return { noun, side: random.pick(SIDES), number: 'one' };
  if (kind === 'several') return drawSeveral(scene, random);
  if (kind === 'absent-object') return drawAbsentObject(scene, random);
  // What is absent in a relation is the relation: noun and anchor are there.
  const anchor = nounOf(random, random.pick(scene.objects));
  if (anchor.colour === noun.colour && anchor.shape === noun.shape) return null;
  return { noun, relation: { word: random.pick(RELATIONS), anchor }, number: 'one' };
}

/** Mostly colour and shape, now and then the shape alone. */
function nounOf(random: Random, { colour, shape }: SceneObject): Noun {
  return random.uniform() < 0.75 ? { colour, shape } : { colour: null, shape };
}

function drawSeveral(scene: Scene, random: Random): Phrase {
  const { colour, shape } = random.pick(scene.objects);
  const choice = random.uniform();
  if (choice < 0.45) {
    const other = random.pick(scene.objects);
    return { noun: { colour, shape }, and: { colour: other.colour, shape: other.shape }, number: 'one' };
  }
  const noun = choice < 0.7 ? { colour: null, shape } : choice < 0.85 ? { colour, shape: null } : { colour, shape };
  return { noun, number: objectsLike(scene, noun).length === 2 ? 'both' : 'all' };
}

/** Mostly a colour of the scene on a shape of the scene that do not go together there: both words sound right. */
function drawAbsentObject(scene: Scene, random: Random): Phrase {
  const present = random.pick(scene.objects);
  const other = random.pick(scene.objects);
  const choice = random.uniform();
  if (choice < 0.5) return { noun: { colour: present.colour, shape: other.shape }, number: 'one' };
  if (choice < 0.7) return { noun: { colour: random.pick(COLOURS), shape: present.shape }, number: 'one' };
  return { noun: { colour: choice < 0.9 ? present.colour : null, shape: random.pick(SHAPES) }, number: 'one' };
}
