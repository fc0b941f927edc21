import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

import { type Facts, type Target, targetFacts } from '../../../src/data/facts.js';
import type { Turn } from '../../../src/data/text/conversation.js';
import { Random } from '../../../src/random.js';
import { chatTurn } from '../../../src/systems/shared/lisa-prompts.js';
import { LisaDialogue } from '../../../src/systems/lisa/dialogue.js';
import { lisaVocabulary, MAX_TRAINING_TOKENS } from '../../../src/systems/lisa/system.js';
import { ANSWERS, SHORT_QUESTIONS } from '../../../src/systems/shared/lisa-prompts.js';
import { recordedTurns } from '../../../src/verification/datasets-recorded.js';
import { chiSquare, criticalValue } from '../../helpers/chi-square.js';
import { fixture } from '../../helpers/fixtures.js';

const SIZE = { height: 2, width: 3 };
const MASK = { data: Uint8Array.of(0, 1, 1, 0, 0, 0), ...SIZE };
const dialogue = new LisaDialogue();

function target(text: string, wording: Target['wording'] = 'expression'): Target {
  return { text, wording, mask: MASK };
}

function factsOf(kind: Facts['kind'], targets: readonly Target[], more: Partial<Facts> = {}): Facts {
  return { ...targetFacts(kind, SIZE, targets), ...more };
}

function turnOf(facts: Facts, seed: number, of = dialogue): Turn {
  const [lesson] = of.lessons(facts, new Random(seed));
  if (lesson?.turns.length !== 1) throw new Error('expected one turn');
  return lesson.turns[0] as Turn;
}

function manyTurns(facts: Facts, of = dialogue): string[] {
  return Array.from({ length: 600 }, (_, seed) => {
    const { user, assistant } = turnOf(facts, seed, of);
    return `${user}|${assistant}`;
  });
}

describe('lessons', () => {
  test('every recorded form is drawn, and no other', () => {
    const recorded = (
      JSON.parse(readFileSync(fixture('lisa-text', 'text.json'), 'utf8')) as {
        templates: { llava_v1: { conversations: string[] } };
      }
    ).templates.llava_v1.conversations.flatMap((text) => recordedTurns('llava_v1', text));
    const sentence = 'Which of them would roll down a hill?';
    const drawn = new Set([
      ...manyTurns(factsOf('refer_seg', [target('left zebra')])),
      ...manyTurns(factsOf('reason_seg', [target(sentence, 'sentence')])),
      ...manyTurns(factsOf('reason_seg', [target(sentence, 'sentence')], { explanation: 'It is round, so it rolls.' })),
    ]);
    expect(recorded).toHaveLength(14);
    for (const { user, assistant } of recorded) expect(drawn).toContain(`${user}|${assistant}`);
    // Questions and answers: short, long, with a request to explain, and the explanation alone.
    expect(drawn.size).toBe(4 * 5 + 2 * 5 + 3 * 5 + 1);
  });

  test('forms are drawn equally often', () => {
    const turns = manyTurns(factsOf('sem_seg', [target('Sky', 'class')]));
    const counts = SHORT_QUESTIONS.flatMap((question) =>
      ANSWERS.map((answer) => {
        const text = `<image>\n${question.replace('{}', 'sky')}|${answer}`;
        return turns.filter((turn) => turn === text).length;
      }),
    );
    expect(
      chiSquare(
        counts,
        counts.map(() => 1),
      ),
    ).toBeLessThan(criticalValue(counts.length - 1));
  });

  test('one conversation per target; case and outer spaces as the reference has them, dots kept', () => {
    const texts = (facts: Facts): string[] =>
      dialogue.lessons(facts, new Random(1)).map(({ turns }) => turns.map(({ user }) => user).join());
    expect(texts(factsOf('refer_seg', [target(' The Red bar. '), target('$& {}')])).join()).toMatch(
      /the red bar\. .*,<image>\n.*\$& \{\}/s,
    );
    expect(texts(factsOf('reason_seg', [target('The Hill? ', 'sentence')]))[0]).toMatch(
      /^<image>\nThe Hill\? {2}Please/,
    );
    expect(dialogue.lessons(factsOf('refer_seg', [target('a'), target('b')]), new Random(1))).toHaveLength(2);
  });

  test('an absent target has an empty mask, and is answered with [SEG] like any other', () => {
    const facts = factsOf('refer_seg', [{ ...target('pink hexagon'), mask: null }, target('bar')]);
    const lessons = dialogue.lessons(facts, new Random(3));
    expect(lessons.map(({ targets }) => targets.map(({ mask }) => mask))).toEqual([
      [{ data: new Uint8Array(6), ...SIZE }],
      [MASK],
    ]);
    for (const { turns } of lessons) expect(turns[0]?.assistant?.split('[SEG]')).toHaveLength(2);
  });

  test('explanations: alone in one picture of ten and then without a mask, else in half of them', () => {
    const facts = factsOf('reason_seg', [target('What rolls?', 'sentence'), target('the ball')], {
      explanation: 'Round.',
    });
    const counts = { alone: 0, after: 0, none: 0 };
    for (let seed = 0; seed < 2000; seed++) {
      const lessons = dialogue.lessons(facts, new Random(seed));
      // One draw per picture.
      const modes = lessons.map(({ turns: [turn], targets }) => {
        const answer = turn?.assistant ?? '';
        const mode = answer === 'Round.' ? 'alone' : answer.endsWith(' Round.') ? 'after' : 'none';
        expect(targets).toHaveLength(mode === 'alone' ? 0 : 1);
        return mode;
      });
      expect(new Set(modes).size).toBe(1);
      counts[modes[0] as keyof typeof counts]++;
    }
    expect(chiSquare(Object.values(counts), [0.1, 0.45, 0.45])).toBeLessThan(criticalValue(2));
    const never = manyTurns(factsOf('reason_seg', [target('a')], { explanation: 'Round.' }), new LisaDialogue(-1));
    expect(never.filter((turn) => turn.includes('Round'))).toEqual([]);
  });

  test('a dialogue is learned from as it is, without masks', () => {
    const turns = [
      { user: '<image>\nWhat?', assistant: 'A bar.' },
      { user: 'Where?', assistant: 'Left.' },
    ];
    expect(dialogue.lessons(factsOf('vqa', [], { turns }), new Random(1))).toEqual([{ turns, targets: [] }]);
  });
});

describe('questions', () => {
  test('validation: one question per target, the published one with its space', () => {
    expect(dialogue.forms).toEqual(['reference', 'trained']);
    expect(dialogue.asksAlone()).toBe(true);
    expect(dialogue.exam(['red bar', 'Sky'], ['found', 'absent'], 'reference')).toEqual([
      {
        turn: {
          user: '<image>\n What is red bar in this image? Please output segmentation mask.',
          assistant: '[SEG].',
        },
        targets: [0],
      },
      {
        turn: { user: '<image>\n What is Sky in this image? Please output segmentation mask.', assistant: '[SEG].' },
        targets: [1],
      },
    ]);
    const [sentence] = dialogue.exam([' Who eats? '], ['found'], 'reason-sentence');
    expect(sentence?.turn).toEqual({
      user: '<image>\n Who eats? Please output segmentation mask.',
      assistant: '[SEG].',
    });
  });

  test('as trained, and open: words that lessons have', () => {
    const [exam] = dialogue.exam(['Red bar'], ['found'], 'trained');
    const learned = manyTurns(factsOf('refer_seg', [target('Red bar')]));
    expect(learned).toContain(`${exam?.turn.user}|${exam?.turn.assistant}`);
    const open = dialogue.open(['Red bar', 'b'], 'reference');
    expect(open.map(({ turn, targets }) => [turn.user, turn.assistant, targets])).toEqual([
      [exam?.turn.user, null, [0]],
      ['<image>\nWhat is b in this image? Please output segmentation mask.', null, [1]],
    ]);
    expect(dialogue.open(['Who?'], 'reason-sentence')[0]?.turn.user).toBe(
      '<image>\nWho? Please output segmentation mask.',
    );
  });

  test('the first [SEG] answers the question, further ones repeat it, none leaves it open', () => {
    const part = { text: 'It is ', answer: 'found' } as const;
    expect(dialogue.match([part], ['a'])).toEqual({ parts: [0], unknown: [], repeated: [], unanswered: 0 });
    expect(dialogue.match([part, part, part], ['a']).repeated).toEqual([
      { part: 1, expression: 0 },
      { part: 2, expression: 0 },
    ]);
    expect(dialogue.match([], ['a'])).toEqual({ parts: [null], unknown: [], repeated: [], unanswered: 1 });
    expect(() => dialogue.match([part], ['a', 'b'])).toThrow(/one target at a time, not for 2/);
  });

  test('chat: the picture stands in the first round', () => {
    expect([chatTurn('What?', true), chatTurn('And why?', false)]).toEqual([
      { user: '<image>\nWhat?', assistant: null },
      { user: 'And why?', assistant: null },
    ]);
  });
});

test('vocabulary: one token, no word for "absent", text cut at 257 tokens', () => {
  expect(lisaVocabulary({ seg: 32000, imStart: 32001, imEnd: 32002, bos: 1, eos: 2 }, 32003)).toMatchObject({
    added: ['[SEG]', '<im_start>', '<im_end>'],
    addedTokenSpaces: 'stripped',
    found: [32000],
    absent: [],
    absentBelow: 50,
  });
  expect(MAX_TRAINING_TOKENS).toBe(257);
});
