/** Generalised reasoning (supplement, Figure A1): a sentence is asked together with absent things, each decided alone. */
import { expect, test } from '@jest/globals';
import { system as gsva } from '../../../src/systems/gsva/system.js';
import { system as lisa } from '../../../src/systems/lisa/system.js';
import type { System } from '../../../src/systems/system.js';
import { SMALL } from '../../helpers/small-model.js';

const SENTENCE = 'Which of these can a person drink from?';
const TEXTS = [SENTENCE, 'a yellow Bus'];
const dialogueOf = (system: System): ReturnType<System['dialogue']> => system.dialogue(SMALL, {});

test('GSVA: one question about both, a decision for each', () => {
  expect(dialogueOf(gsva as System).exam(TEXTS, ['found', 'absent'], 'trained')).toEqual([
    {
      targets: [0, 1],
      turn: {
        user: `<image>\nWhat are ${SENTENCE}, a yellow Bus in this image? Please output segmentation masks.`,
        assistant: `Sure, they are ${SENTENCE}:[SEG], a yellow Bus:[REJ].`,
      },
    },
  ]);
});

test('GSVA: decisions of a free answer go to the sentence and to the absent thing that they name', () => {
  const parts = [
    { text: 'Sure, the segmentation of a yellow bus is', answer: 'absent' },
    { text: ', the segmentation of which of these can a person drink from? is', answer: 'found' },
  ] as const;
  expect(dialogueOf(gsva as System).match(parts, TEXTS)).toMatchObject({ parts: [1, 0], unknown: [], unanswered: 0 });
});

test('LISA has one [SEG] a question: it is asked for each alone', () => {
  const asked = dialogueOf(lisa).exam(TEXTS, ['found', 'absent'], 'reference');
  expect(asked.map(({ targets }) => targets)).toEqual([[0], [1]]);
});
