/** The texts of every form of question: published spaces and all, one expression where only one is asked about. */
import { describe, expect, test } from '@jest/globals';
import {
  ANSWER_FORMS,
  answerOf,
  asksAlone,
  EXPRESSION_FORMS,
  formOfProtocol,
  formText,
  freeQuestionOf,
  questionOf,
  trainingAnswer,
  trainingQuestion,
} from '../../../src/systems/gsva/prompts.js';
import { settingText } from '../../../src/evaluation/conversations.js';
import { GsvaDialogue } from '../../../src/systems/gsva/dialogue.js';
import { GSVA_VARIANT } from '../../../src/systems/shared/variant.js';
import { Random } from '../../../src/random.js';
import { VARIANT_NAMES, VARIANTS } from '../../helpers/variants.js';

const two = ['red circle', 'green $& bar'];
const targets = [
  { expression: 'red circle', isEmpty: false },
  { expression: 'green $& bar', isEmpty: true },
];

describe('questions about several expressions', () => {
  test.each([
    ['reference', '<image>\n What are red circle, green $& barin this image? Please output segmentation masks.'],
    ['what', '<image>\nWhat are red circle, green $& bar in this image? Please output segmentation masks.'],
    ['where', '<image>\nWhere are red circle, green $& bar in this image? Please output segmentation masks.'],
    ['show', '<image>\nShow me red circle, green $& bar in the image with segmentation masks'],
    ['outline', '<image>\nOutline red circle, green $& bar in this image with segmentation masks'],
  ] as const)('%s', (form, text) => {
    expect(questionOf(form, two)).toBe(text);
    expect(answerOf(form, targets)).toBe('Sure,red circle:[SEG], green $& bar:[REJ].');
    expect(asksAlone(form)).toBe(false);
  });

  test.each(VARIANT_NAMES)('the trained form is one of those that training draws: %s', (name) => {
    const variant = VARIANTS[name];
    const asked = variant.multipleSeg ? two : two.slice(0, 1);
    const drawn = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      const random = new Random(seed);
      const own = targets.slice(0, asked.length);
      drawn.add(trainingAnswer(random, own, 'res', variant));
      if (variant.multipleSeg) drawn.add(trainingQuestion(random, asked));
    }
    expect(drawn).toContain(answerOf('trained', targets.slice(0, asked.length), variant));
    if (variant.multipleSeg) expect(drawn).toContain(questionOf('trained', asked));
    else expect(questionOf('trained', asked, variant)).toBe(freeQuestionOf('reference', asked, variant));
  });

  test('each protocol has its own form unless one is chosen; readers are told which', () => {
    expect(formOfProtocol('reference', 'default')).toBe('reference');
    for (const protocol of ['strict', 'generate']) expect(formOfProtocol(protocol, 'default')).toBe('trained');
    expect(formOfProtocol('strict', 'reference')).toBe('reference');
    expect(asksAlone('default')).toBe(false);
    expect(settingText(new GsvaDialogue(GSVA_VARIANT), ['strict', 'reference'], 'default')).toBe(
      'strict: as trained, “What are {} in this image? Please output segmentation masks.” – “Sure, they are {}:[SEG].”; ' +
        'reference: as published, “What are {}in this image? Please output segmentation masks.” – “Sure,{}:[SEG].”',
    );
    expect(ANSWER_FORMS.map(({ start }) => start)).toContain('Sure, they are');
  });

  test('free answers are asked for in words that the model has learned', () => {
    expect(freeQuestionOf('reference', two)).toBe(questionOf('what', two));
    for (const form of EXPRESSION_FORMS.slice(1)) expect(freeQuestionOf(form, two)).toBe(questionOf(form, two));
  });

  test('for readers the place of the expressions is marked', () => {
    expect(formText('where')).toBe('Where are {} in this image? Please output segmentation masks.');
    expect(formText('trained')).toBe(formText('what'));
    expect(formText('reference')).toBe('What are {}in this image? Please output segmentation masks.');
  });
});

describe('questions about one thing', () => {
  test.each([
    ['reason-sentence', 'Where do I sit?', '<image>\n Where do I sit? Please output segmentation mask.', '[SEG]'],
    [
      'reason-phrase',
      'the seat',
      '<image>\n What is the seat in this image? Please output segmentation mask.',
      '[SEG]',
    ],
    ['class', 'chair', '<image>\n What is chair in this image?', 'Sure, [SEG].'],
  ] as const)('%s', (form, text, question, answer) => {
    expect(questionOf(form, [text])).toBe(question);
    expect(freeQuestionOf(form, [text])).toBe(question);
    expect(answerOf(form, [{ expression: text, isEmpty: false }])).toBe(answer);
    expect(answerOf(form, [{ expression: text, isEmpty: true }])).toBe(answer.replace('[SEG]', '[REJ]'));
    expect(asksAlone(form)).toBe(true);
    expect(() => questionOf(form, two)).toThrow('asks about one expression, not 2');
  });
});
