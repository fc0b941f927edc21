/** What each variant is taught: texts, ids, labels and masks of the same targets of the same image. */
import { describe, expect, test } from '@jest/globals';
import { segIds } from '../../../src/systems/shared/model-config.js';
import { tokenizeConversation } from '../../../src/data/text/conversation.js';
import { ANSWER_FORMS, TRAINING_QUESTIONS } from '../../../src/systems/gsva/prompts.js';
import { ANSWERS, SHORT_QUESTIONS } from '../../../src/systems/shared/lisa-prompts.js';
import { gsvaLessons } from '../../../src/systems/gsva/dialogue.js';
import { type Facts, type Lesson, type Target, targetFacts } from '../../../src/data/facts.js';
import { Random } from '../../../src/random.js';
import { IGNORE_LABEL } from '../../../src/special-tokens.js';
import { configOf, tokenizerOf, VARIANT_NAMES, VARIANTS, type VariantName } from '../../helpers/variants.js';

const SIZE = { height: 4, width: 6 };
const mask = { ...SIZE, data: new Uint8Array(24).fill(1) };
const TARGETS: readonly Target[] = [
  { text: 'red circle', wording: 'expression', mask },
  { text: 'Green bar', wording: 'expression', mask: null },
  { text: 'both squares', wording: 'expression', mask },
];

const factsOf = (targets: readonly Target[], kind: Facts['kind'] = 'refer_seg'): Facts =>
  targetFacts(kind, SIZE, targets);
const conversationsOf = (name: VariantName, seed = 1, targets = TARGETS): readonly Lesson[] =>
  gsvaLessons(factsOf(targets), new Random(seed), VARIANTS[name]);
const answersOf = (name: VariantName, seed: number): (string | null | undefined)[] =>
  conversationsOf(name, seed).map(({ turns }) => turns[0]?.assistant);
/** All that a variant says in many draws. */
const everyAnswer = (name: VariantName): Set<string> =>
  new Set(Array.from({ length: 200 }, (_, seed) => answersOf(name, seed).join(' | ')));

const GSVA_ANSWERS = [
  'The segmentation results are red circle [SEG], Green bar [REJ], both squares [SEG].',
  'Sure, they are red circle:[SEG], Green bar:[REJ], both squares:[SEG].',
  'Sure, the mask of red circle is [SEG], the mask of Green bar is [REJ], the mask of both squares is [SEG].',
  'Sure, the segmentation of red circle is [SEG], the segmentation of Green bar is [REJ], the segmentation of both squares is [SEG].',
  'Sure, the referred red circle is [SEG], the referred Green bar is [REJ], the referred both squares is [SEG].',
];

describe('answers', () => {
  test('GSVA: five forms, [REJ] where the target is absent', () => {
    expect(everyAnswer('gsva')).toEqual(new Set(GSVA_ANSWERS));
  });

  test('without [REJ]: the same, [SEG] for all', () => {
    expect(everyAnswer('no-reject')).toEqual(new Set(GSVA_ANSWERS.map((answer) => answer.replace('[REJ]', '[SEG]'))));
  });

  test('eight [SEG]: in turn by the place in the question, absent targets counted', () => {
    const eight = GSVA_ANSWERS.map((answer) => answer.replace(/\[SEG\](?=\.$)/, '[SEG002]'));
    expect(everyAnswer('eight-seg')).toEqual(new Set(eight));
    const many = Array.from({ length: 10 }, (_, i) => ({ text: `thing ${i}`, wording: 'expression', mask }) as const);
    const [lesson] = conversationsOf('eight-seg', 1, many);
    expect(lesson?.turns[0]?.assistant?.match(/\[SEG\d*\]/g)).toEqual([
      ...['[SEG]', '[SEG001]', '[SEG002]', '[SEG003]', '[SEG004]', '[SEG005]', '[SEG006]', '[SEG007]'],
      ...['[SEG]', '[SEG001]'],
    ]);
  });

  test('without expressions: the beginnings of the forms, then the tokens', () => {
    const starts = new Set(ANSWER_FORMS.map(({ start }) => `${start} [SEG], [REJ], [SEG].`));
    expect(everyAnswer('no-expression')).toEqual(starts);
  });

  test('one [SEG] with its expression: each in a conversation of its own', () => {
    for (const answer of everyAnswer('single-seg')) {
      const parts = answer.split(' | ');
      expect(parts).toHaveLength(3);
      for (const [i, { text }] of TARGETS.entries()) {
        const forms = ANSWER_FORMS.map(({ start, part }) => `${start} ${part.replace('{}', text)}.`);
        expect(forms).toContain(parts[i]);
      }
    }
  });

  test('LISA: its own answers, one expression at a time', () => {
    for (const answer of everyAnswer('lisa')) {
      for (const part of answer.split(' | ')) expect(ANSWERS).toContain(part);
    }
    expect(everyAnswer('lisa').size).toBeGreaterThan(50);
  });
});

test('questions: about all in one, or in the words of LISA about each', () => {
  const filled = (templates: readonly string[], text: string): string[] =>
    templates.map((template) => `<image>\n${template.replace('{}', text.toLowerCase())}`);
  for (const name of VARIANT_NAMES) {
    const asked = conversationsOf(name).map(({ turns }) => turns[0]?.user);
    const expected = VARIANTS[name].multipleSeg
      ? [filled(TRAINING_QUESTIONS, 'red circle, green bar, both squares')]
      : TARGETS.map(({ text }) => filled(SHORT_QUESTIONS, text));
    expect(asked).toHaveLength(expected.length);
    for (const [i, user] of asked.entries()) expect(expected[i]).toContain(user);
  }
});

describe.each(VARIANT_NAMES)('%s', (name) => {
  const variant = VARIANTS[name];
  const { tokens } = configOf(variant);

  test('every target once, in order; without [REJ] an absent one has an empty mask to learn', () => {
    const targets = conversationsOf(name).flatMap((conversation) => conversation.targets);
    expect(targets.map(({ text }) => text)).toEqual(TARGETS.map(({ text }) => text));
    const absent = variant.reject ? null : { ...SIZE, data: new Uint8Array(24) };
    expect(targets.map((target) => target.mask)).toEqual([mask, absent, mask]);
  });

  test('the tokens of the answers are supervised, and stand for the targets one by one', () => {
    for (const { turns, targets } of conversationsOf(name)) {
      const { inputIds, labels } = tokenizeConversation(tokenizerOf(variant), 'plain', turns);
      const places = inputIds.filter((id) => id === tokens.rej || segIds(tokens).includes(id));
      const segs = segIds(tokens);
      expect(places).toEqual(targets.map((target, i) => (target.mask === null ? tokens.rej : segs[i % segs.length])));
      const supervised = labels.filter((label) => label === tokens.rej || segIds(tokens).includes(label));
      expect(supervised).toEqual(places);
      // Nothing of the question is, and all from the answer on.
      const first = labels.findIndex((label) => label !== IGNORE_LABEL);
      expect(inputIds.slice(first)).toEqual(labels.slice(first));
      expect(inputIds.slice(0, first)).not.toContain(tokens.seg);
    }
  });

  test('the same seed, the same conversations', () => {
    expect(conversationsOf(name, 5)).toEqual(conversationsOf(name, 5));
  });
});

test('as published where nothing is said', () => {
  const facts = factsOf(TARGETS, 'sem_seg');
  expect(gsvaLessons(facts, new Random(3))).toEqual(gsvaLessons(facts, new Random(3), VARIANTS.gsva));
  expect(gsvaLessons(facts, new Random(3))).not.toEqual(gsvaLessons(factsOf(TARGETS), new Random(3)));
});
