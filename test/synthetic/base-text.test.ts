/** The base's captions and scene grounding: every answer is derived once more from the pixels, and GSVA's tokens do not occur. */
import { describe, expect, test } from '@jest/globals';
import { captionTurn, groundingConversation } from '../../src/synthetic/base-text.js';
import { type Scene, sceneRandom, synthScene } from '../../src/synthetic/scene.js';
import { COLOURS, SHAPES } from '../../src/synthetic/shapes.js';
import { ADDED_TOKENS } from '../../src/systems/shared/decision-tokens.js';
import { meaningOf, seenAt } from './scene-english.js';

const COUNTS = { expressions: 6, words: 4 };

const conversations = Array.from({ length: 200 }, (_, index) => {
  const scene = synthScene(31, 'base', index);
  const grounding = groundingConversation(scene, sceneRandom(31, 'base', index).fork(2), COUNTS, index % 2 === 0);
  return { scene, grounding };
});

/** What a single word or an expression fits, by the objects' looks or by the pixels. */
function fitting(scene: Scene, text: string): number[] {
  const isWord = [...COLOURS, ...SHAPES].some((word) => word === text);
  if (!isWord) return meaningOf(scene, text).objects;
  return scene.objects.flatMap(({ colour, shape }, index) => (colour === text || shape === text ? [index] : []));
}

/** "a3 and d6": cells of an 8×8 grid, columns by letters from the left, rows from the top. */
function placesIn(scene: Scene, objects: readonly number[]): string {
  return objects
    .map((object) => seenAt(scene, object))
    .sort((a, b) => a.x - b.x)
    .map(({ x, y }) => 'abcdefgh'.charAt(Math.floor(x * 8)) + String(Math.floor(y * 8) + 1))
    .join(' and ');
}

describe('captionTurn', () => {
  test('every object once, with the cell of an 8×8 grid that its visible centre is in, in any order', () => {
    const cells = new Set<string>();
    let sameOrder = 0;
    for (const [index, { scene }] of conversations.entries()) {
      const { user, assistant } = captionTurn(scene, sceneRandom(31, 'base', index));
      expect(user).toBe('<image>\nWhat is in this image?');
      const parts = scene.objects.map(({ colour, shape }, object) => {
        const cell = placesIn(scene, [object]);
        cells.add(cell.charAt(0)).add(cell.charAt(1));
        return `${colour} ${shape} ${cell}`;
      });
      const said = assistant?.replace(/\.$/, '').split(', ') ?? [];
      expect([...said].sort()).toEqual([...parts].sort());
      if (said.join() === parts.join()) sameOrder++;
      for (const token of ADDED_TOKENS) expect(assistant).not.toContain(token);
    }
    expect(cells.size).toBe(16);
    expect(sameOrder).toBeLessThan(conversations.length / 3);
  });
});

describe('groundingConversation', () => {
  test('what fits something is answered with its cells from left to right, what fits nothing with "no"', () => {
    const seen = { places: 0, no: 0 };
    for (const { scene, grounding } of conversations) {
      const answers = grounding.asked.map(({ text, objects }) => {
        expect([text, objects]).toEqual([text, fitting(scene, text)]);
        seen[objects.length > 0 ? 'places' : 'no']++;
        return `${text}: ${objects.length > 0 ? placesIn(scene, objects) : 'no'}`;
      });
      expect(grounding.turn.assistant).toBe(`${answers.join(', ')}.`);
    }
    // Neither answer is right most of the time.
    expect(Math.min(seen.places, seen.no)).toBeGreaterThan(0.3 * (seen.places + seen.no));
  });

  test('the question names the expressions in their order, or none', () => {
    for (const { grounding } of conversations) {
      const list = grounding.asked.map(({ text }) => text).join(', ');
      expect(grounding.turn.user).toBe(
        `<image>\n${grounding.named ? `What are ${list}` : 'Where is what'} in this image?`,
      );
    }
  });

  test('no text twice, at most as many as told, words and expressions mixed', () => {
    let wordFirst = 0;
    for (const { grounding } of conversations) {
      const texts = grounding.asked.map(({ text }) => text);
      expect(new Set(texts).size).toBe(texts.length);
      expect(texts.length).toBeLessThanOrEqual(COUNTS.expressions + COUNTS.words);
      if (!texts[0]?.includes(' ')) wordFirst++;
    }
    expect(wordFirst).toBeGreaterThan(20);
    expect(wordFirst).toBeLessThan(180);
  });

  test('it knows nothing of GSVA: no added token occurs, and the same generator gives the same conversation', () => {
    for (const [index, { scene, grounding }] of conversations.entries()) {
      const text = JSON.stringify(grounding.turn);
      for (const token of ADDED_TOKENS) expect(text).not.toContain(token);
      const again = groundingConversation(scene, sceneRandom(31, 'base', index).fork(2), COUNTS, index % 2 === 0);
      expect(again).toEqual(grounding);
    }
  });
});
