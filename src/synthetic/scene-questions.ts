/** Questions about a scene with one-word answers (colour, shape, number, presence): the embedded benchmark's VQA. */
import type { Random } from '../random.js';
import { drawExpression, type Noun, nounWords, objectsLike, SIDES, targetsOf, wordingOf } from './expressions.js';
import type { Scene } from './scene.js';
import { COLOURS, SHAPES } from './shapes.js';

const QUESTION_KINDS = ['colour', 'shape', 'count', 'presence'] as const;
type QuestionKind = (typeof QUESTION_KINDS)[number];

interface SceneQuestion {
  readonly kind: QuestionKind;
  readonly question: string;
  /** One word, lower case. */
  readonly answer: string;
}

/** Numbers as the tokenizer has them: a piece each. A scene has at most eight objects. */
const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'] as const;
const ATTEMPTS = 20;
/** Share of the questions about colour and shape that name the object's half. */
const SIDE_SHARE = 0.3;

/** Up to `count` different questions about the scene; every kind is as likely. */
export function sceneQuestions(scene: Scene, random: Random, count: number): SceneQuestion[] {
  const found = new Map<string, SceneQuestion>();
  for (let attempt = 0; attempt < ATTEMPTS * count && found.size < count; attempt++) {
    const drawn = drawQuestion(scene, random, random.pick(QUESTION_KINDS));
    if (drawn !== null && !found.has(drawn.question)) found.set(drawn.question, drawn);
  }
  return [...found.values()];
}

/** null where the draw has no clear answer. */
function drawQuestion(scene: Scene, random: Random, kind: QuestionKind): SceneQuestion | null {
  if (kind === 'colour' || kind === 'shape') return attributeQuestion(scene, random, kind);
  if (kind === 'presence') {
    const isThere = random.uniform() < 0.5;
    const expression = drawExpression(scene, random, isThere ? 'attribute' : 'absent-object');
    return expression && { kind, question: `Is there a ${expression.text}?`, answer: isThere ? 'yes' : 'no' };
  }
  const isShape = random.uniform() < 0.5;
  const noun: Noun = isShape
    ? { colour: null, shape: random.pick(SHAPES) }
    : { colour: random.pick(COLOURS), shape: null };
  const answer = NUMBERS[objectsLike(scene, noun).length];
  if (answer === undefined) throw new Error('sceneQuestions: a scene with more than eight objects');
  return { kind, question: `How many ${nounWords(noun, true)} are there?`, answer };
}

/** "What colour is the left circle?", "What is the red shape?": the attribute that the noun leaves open. */
function attributeQuestion(scene: Scene, random: Random, kind: 'colour' | 'shape'): SceneQuestion | null {
  const { colour, shape } = random.pick(scene.objects);
  const noun: Noun = kind === 'colour' ? { colour: null, shape } : { colour, shape: null };
  const side = random.uniform() < SIDE_SHARE ? { side: random.pick(SIDES) } : {};
  const phrase = { noun, number: 'one', ...side } as const;
  const [index, ...more] = targetsOf(scene, phrase) ?? [];
  const object = index === undefined ? undefined : scene.objects[index];
  if (object === undefined || more.length > 0) return null;
  const words = wordingOf(phrase);
  return kind === 'colour'
    ? { kind, question: `What colour is the ${words}?`, answer: object.colour }
    : { kind, question: `What is the ${words}?`, answer: object.shape };
}
