/**
 * Texts for the base's LLM about scenes, before it knows [SEG] or [REJ].
 *
 * Captions come first: all objects, each with its place, in any order. Writing "red" counts what the vision tokens hold;
 * continuing with "circle d6" finds the red thing among them. Grounding follows: a list of expressions, each answered
 * with the places of the fitting objects, or "no", so that the found objects must also be compared with the question.
 *
 * A place is a cell of an 8×8 grid over the image: columns a–h from the left, rows 1–8 from the top.
 */
import type { Random } from '../random.js';
import { IMAGE_PLACEHOLDER } from '../special-tokens.js';
import { type MakeLessons, targetFacts } from '../data/facts.js';
import type { Turn } from '../data/text/conversation.js';
import { centreShare, type Noun, objectsLike, sceneExpressions } from './expressions.js';
import type { Scene } from './scene.js';
import { COLOURS, SHAPES } from './shapes.js';

const COLUMNS = 'abcdefgh';
const GRID = COLUMNS.length;

/** The answer to an expression that nothing fits. */
export const ABSENT_WORD = 'no';

/** Share of the lists in trained forms that are shorter than they could be. */
const SHORT_LISTS = 0.25;

/** Share of the single words that are taken from the scene; the others are drawn from all words. */
const PRESENT_WORDS = 0.4;

export interface GroundedExpression {
  readonly text: string;
  /** Indices of the scene's objects; none for an absent target. */
  readonly objects: readonly number[];
}

/** Largest number of each kind in a conversation. */
export interface GroundingCounts {
  /** Expressions of the embedded benchmark. */
  readonly expressions: number;
  /** Colours and shapes alone, which need one glance at the image instead of two that agree. */
  readonly words: number;
}

export interface GroundingConversation {
  readonly turn: Turn;
  /** In the order of the answer. */
  readonly asked: readonly GroundedExpression[];
  /**
   * Whether the question names the expressions. Otherwise the answer's choice cannot be foreseen: only the text behind
   * the colons is learned.
   */
  readonly named: boolean;
}

/** Every object with its place, in random order: "red circle d6, blue bar a3." */
export function captionTurn(scene: Scene, random: Random): Turn {
  const objects = random.shuffle(scene.objects.map((_, index) => index)).map((index) => {
    const { colour, shape } = scene.objects[index] ?? { colour: '', shape: '' };
    return `${colour} ${shape} ${placesOf(scene, [index])}`;
  });
  return { user: `${IMAGE_PLACEHOLDER}\nWhat is in this image?`, assistant: `${objects.join(', ')}.` };
}

/**
 * @param named whether the question names the expressions: "What are a, b in this image?"; else it is always the same
 */
export function groundingConversation(
  scene: Scene,
  random: Random,
  counts: GroundingCounts,
  named: boolean,
): GroundingConversation {
  const asked = new Map<string, GroundedExpression>();
  for (const { text, objects } of sceneExpressions(scene, random, counts.expressions)) {
    asked.set(text, { text, objects });
  }
  for (let i = 0; i < counts.words; i++) {
    const word = wordAbout(scene, random);
    if (!asked.has(word.text)) asked.set(word.text, word);
  }
  const list = random.shuffle([...asked.values()]);
  const subject = named ? `What are ${list.map(({ text }) => text).join(', ')}` : 'Where is what';
  const answers = list.map(({ text, objects }) => `${text}: ${placesOf(scene, objects)}`);
  return {
    turn: { user: `${IMAGE_PLACEHOLDER}\n${subject} in this image?`, assistant: `${answers.join(', ')}.` },
    asked: list,
    named,
  };
}

/** A conversation in the words of a system's training, whose answer has a place, or "no", wherever the system's has a token. */
export interface TrainedFormConversation {
  /** The answer has a decision token in place of each of `answers`. */
  readonly turn: Turn;
  /** In the order of the answer. */
  readonly asked: readonly GroundedExpression[];
  /** "d6 and f2" or "no", one per expression. */
  readonly answers: readonly string[];
}

/**
 * A list of the benchmark's expressions in one of the questions and answer forms that a system is trained with. To write the
 * list again, in its order, word for word, is what a free answer takes besides the decisions; here it is learned before
 * decision tokens are known.
 * @param lessons of the system
 * @param most expressions; a quarter of the lists are shorter, down to a single expression
 */
export function trainedFormConversation(
  scene: Scene,
  random: Random,
  lessons: MakeLessons,
  most: number,
): TrainedFormConversation {
  const count = random.uniform() < SHORT_LISTS ? 1 + random.integer(most) : most;
  const asked = random.shuffle(sceneExpressions(scene, random, count)).map(({ text, objects }) => ({ text, objects }));
  const targets = asked.map(({ text, objects }) => {
    return { text, wording: 'expression' as const, mask: objects.length === 0 ? null : SOME_MASK };
  });
  const [lesson] = lessons(targetFacts('refer_seg', SOME_MASK, targets), random);
  if (lesson?.turns[0] === undefined)
    throw new Error('trainedFormConversation: the system has no lesson about targets');
  const learned = asked.slice(0, lesson.targets.length);
  const answers = learned.map(({ objects }) => (objects.length === 0 ? ABSENT_WORD : placesOf(scene, objects)));
  return { turn: lesson.turns[0], asked: learned, answers };
}

/** Stands for the mask of a target that is present: words do not depend on it. */
const SOME_MASK = { data: new Uint8Array(1).fill(1), height: 1, width: 1 };

/** A colour or a shape alone, with everything that it fits. */
function wordAbout(scene: Scene, random: Random): GroundedExpression {
  const object = random.pick(scene.objects);
  const isPresent = random.uniform() < PRESENT_WORDS;
  const noun: Noun =
    random.uniform() < 0.5
      ? { colour: isPresent ? object.colour : random.pick(COLOURS), shape: null }
      : { colour: null, shape: isPresent ? object.shape : random.pick(SHAPES) };
  return { text: noun.colour ?? noun.shape ?? '', objects: objectsLike(scene, noun) };
}

/** Cells of the objects from left to right, joined by "and"; "no" without any. */
function placesOf(scene: Scene, objects: readonly number[]): string {
  if (objects.length === 0) return ABSENT_WORD;
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
