/**
 * Scene grounding, from which the base learns to read what it is asked and to look it up in the image: a list of
 * expressions, each answered "there" or "no", and whatever is there with its mask. It knows nothing of [SEG] or [REJ].
 *
 * Beside the benchmark's expressions stand single words ("red", "circle"): they need one glance at the vision tokens
 * instead of two that agree, and are what is learned first.
 */
import type { Random } from '../../random.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import type { Turn } from '../conversation.js';
import { type Noun, objectsLike, sceneExpressions } from './expressions.js';
import type { Scene } from './scene.js';
import { COLOURS, SHAPES } from './shapes.js';

/** How an expression is answered. */
export const PRESENT_WORD = 'there';
export const ABSENT_WORD = 'no';

export interface GroundedExpression {
  readonly text: string;
  /** Indices of the scene's objects; none for an absent target. */
  readonly objects: readonly number[];
}

/** How many of each kind a conversation holds at most. */
export interface GroundingCounts {
  readonly expressions: number;
  readonly words: number;
}

export interface GroundingConversation {
  readonly turn: Turn;
  /** In the order of the answer. */
  readonly asked: readonly GroundedExpression[];
  /**
   * Whether the question names the expressions. Where it does not, the answer's choice of them cannot be foreseen: only
   * "there" and "no" are to be learned.
   */
  readonly named: boolean;
}

/** Share of the words that are taken from the scene; the others are drawn from all words. */
const PRESENT_WORDS = 0.4;

/**
 * @param named whether the question names the expressions: "What are a, b in this image?" or "What is in this image?"
 */
export function groundingConversation(
  scene: Scene,
  random: Random,
  counts: GroundingCounts,
  named: boolean,
): GroundingConversation {
  const asked = new Map<string, GroundedExpression>();
  for (const { text, objects } of sceneExpressions(scene, random, counts.expressions)) asked.set(text, { text, objects });
  for (let i = 0; i < counts.words; i++) {
    const word = wordAbout(scene, random);
    if (!asked.has(word.text)) asked.set(word.text, word);
  }
  const list = random.shuffle([...asked.values()]);
  const question = named ? `What are ${list.map(({ text }) => text).join(', ')} in this image?` : 'What is in this image?';
  const answers = list.map(({ text, objects }) => `${text}: ${objects.length === 0 ? ABSENT_WORD : PRESENT_WORD}`);
  return {
    turn: { user: `${IMAGE_PLACEHOLDER}\n${question}`, assistant: `${answers.join(', ')}.` },
    asked: list,
    named,
  };
}

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
