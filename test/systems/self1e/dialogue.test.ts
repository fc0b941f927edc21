/** SELF1E's differences from LISA's dialogue, whose tests cover what the two share. */
import { describe, expect, test } from '@jest/globals';

import { type Facts, targetFacts } from '../../../src/data/facts.js';
import { Random } from '../../../src/random.js';
import { Self1eDialogue } from '../../../src/systems/self1e/dialogue.js';
import { ANSWERS, LONG_QUESTIONS, SHORT_QUESTIONS } from '../../../src/systems/shared/lisa-prompts.js';
import { chiSquare, criticalValue } from '../../helpers/chi-square.js';

const SIZE = { height: 2, width: 3 };
const MASK = { data: Uint8Array.of(0, 1, 1, 0, 0, 0), ...SIZE };
const dialogue = new Self1eDialogue();

function drawn(facts: Facts, of = dialogue): string[] {
  return Array.from({ length: 1200 }, (_, seed) => {
    const [turn] = of.lessons(facts, new Random(seed))[0]?.turns ?? [];
    return `${turn?.user}|${turn?.assistant}`;
  });
}

describe('lessons', () => {
  test('question and answer are drawn independently, all equally often; expressions stripped, in lower case', () => {
    const texts = drawn(targetFacts('refer_seg', SIZE, [{ text: ' The Bus! ', wording: 'expression', mask: MASK }]));
    const counts = SHORT_QUESTIONS.flatMap((question) => {
      const user = `<image>\n${question.replace('{}', 'the bus!')}`;
      return ANSWERS.map((answer) => texts.filter((text) => text === `${user}|${answer}`).length);
    });
    expect(counts.reduce((sum, count) => sum + count)).toBe(texts.length);
    const equal = counts.map(() => 1);
    expect(chiSquare(counts, equal)).toBeLessThan(criticalValue(counts.length - 1));
  });

  test('explanations are off; a configuration can turn them on', () => {
    const target = { text: 'Which one rolls? ', wording: 'sentence', mask: MASK } as const;
    const facts = { ...targetFacts('reason_seg', SIZE, [target]), explanation: 'It is round.' };
    const plain = LONG_QUESTIONS.flatMap((question) => {
      return ANSWERS.map((answer) => `<image>\n${question.replace('{}', target.text)}|${answer}`);
    });
    expect(new Set(drawn(facts))).toEqual(new Set(plain));
    expect(
      drawn(facts, new Self1eDialogue({ explanationOnly: 0 })).some((text) => text.endsWith('[SEG]. It is round.')),
    ).toBe(true);
  });

  test('together: one conversation about all targets in some order, a [SEG] behind each, the masks in that order', () => {
    const other = { data: Uint8Array.of(1, 0, 0, 0, 0, 1), ...SIZE };
    const facts = targetFacts('refer_seg', SIZE, [
      { text: ' Red bar ', wording: 'expression', mask: MASK },
      { text: 'circle', wording: 'expression', mask: other },
      { text: 'moon', wording: 'expression', mask: null },
    ]);
    const masks: Record<string, unknown> = {
      'red bar': MASK,
      circle: other,
      moon: { data: new Uint8Array(6), ...SIZE },
    };
    const orders = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const lessons = new Self1eDialogue({ together: true }).lessons(facts, new Random(seed));
      const [{ turns, targets } = { turns: [], targets: [] }] = lessons;
      const names = targets.map(({ text }) => text.trim().toLowerCase());
      expect(lessons).toHaveLength(1);
      expect(turns).toEqual([
        {
          user: `<image>\nPlease segment ${names.join(', ')} in this image.`,
          assistant: `${names.map((name) => `${name} [SEG]`).join(', ')}.`,
        },
      ]);
      expect(targets.map(({ mask }) => mask)).toEqual(names.map((name) => masks[name]));
      orders.add(names.join());
    }
    expect(orders.size).toBe(6);
  });

  test('a target that is absent has an empty mask; a dialogue keeps its turns', () => {
    const absent = targetFacts('refer_seg', SIZE, [{ text: 'a', wording: 'expression', mask: null }]);
    const [lesson] = dialogue.lessons(absent, new Random(1));
    expect(lesson?.targets).toEqual([{ text: 'a', mask: { data: new Uint8Array(6), ...SIZE } }]);
    const turns = [
      { user: '<image>\nWhat?', assistant: 'A bar.' },
      { user: 'Where?', assistant: 'Left.' },
    ];
    expect(dialogue.lessons({ ...targetFacts('vqa', SIZE, []), turns }, new Random(1))).toEqual([
      { turns, targets: [] },
    ]);
  });
});

test('exam: the published question with its extra blank, the forced answer, and no word for "absent"', () => {
  const asked = dialogue.exam([' red bar ', 'b'], ['found', 'absent'], 'reference');
  expect(asked.map(({ turn, targets }) => [turn.user, turn.assistant, targets])).toEqual([
    ['<image>\n What is red bar in this image? Please output segmentation mask.', '[SEG].', [0]],
    ['<image>\n What is b in this image? Please output segmentation mask.', '[SEG].', [1]],
  ]);
  expect(dialogue.exam(['Who eats?'], ['found'], 'reason-sentence')[0]?.turn.user).toBe(
    '<image>\n Who eats? Please output segmentation mask.',
  );
});
