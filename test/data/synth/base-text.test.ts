/** The base's questions: every answer is derived once more from the pixels, and GSVA's tokens do not occur. */
import { describe, expect, test } from '@jest/globals';

import type { Turn } from '../../../src/data/conversation.js';
import { baseConversation } from '../../../src/data/synth/base-text.js';
import { type Scene, sceneRandom, synthScene } from '../../../src/data/synth/scene.js';
import { ADDED_TOKENS, IMAGE_PLACEHOLDER } from '../../../src/special-tokens.js';
import { meaningOf, seenAt } from './scene-english.js';

const NUMBERS = 'zero one two three four five six seven eight'.split(' ');

const conversations = Array.from({ length: 200 }, (_, index) => {
  const scene = synthScene(31, 'base', index);
  return { scene, turns: baseConversation(scene, sceneRandom(31, 'base', index).fork(2), 6) };
});

/** "d6": the cell of an 8 × 8 grid, columns by letters, rows counted from the top. */
function cell(scene: Scene, index: number): string {
  const { x, y } = seenAt(scene, index);
  return 'abcdefgh'.charAt(Math.floor(x * 8)) + String(Math.floor(y * 8) + 1);
}

function leftToRight(scene: Scene, objects: readonly number[]): number[] {
  return [...objects].sort((a, b) => seenAt(scene, a).x - seenAt(scene, b).x);
}

function presenceAnswer(scene: Scene, list: string): string {
  const parts = list.split(', ').map((text) => {
    const places = leftToRight(scene, meaningOf(scene, text).objects).map((index) => cell(scene, index));
    return `${text}: ${places.length === 0 ? 'no' : places.join(' and ')}`;
  });
  return `${parts.join(', ')}.`;
}

/** The only object of a shape or colour. */
function only(scene: Scene, fits: (object: Scene['objects'][number]) => boolean): Scene['objects'][number] {
  const [object, ...more] = scene.objects.filter(fits);
  if (object === undefined || more.length > 0) throw new Error('the question has no single answer');
  return object;
}

function listAnswer(scene: Scene): string {
  const all = leftToRight(
    scene,
    scene.objects.map((_, index) => index),
  );
  const words = all.map((index) => {
    const { colour, shape } = scene.objects[index] as Scene['objects'][number];
    return `${colour} ${shape} ${cell(scene, index)}`;
  });
  return `${words.join(', ')}.`;
}

/** The right answer to a question about a scene. */
function answerTo(scene: Scene, question: string): { kind: string; answer: string } {
  const asked = (pattern: RegExp): string | undefined => pattern.exec(question)?.[1];
  const presence = asked(/^What are (.+) in this image\?$/);
  if (presence !== undefined) return { kind: 'presence', answer: presenceAnswer(scene, presence) };
  const shape = asked(/^What colour is the (\w+)\?$/);
  if (shape !== undefined) return { kind: 'colour', answer: only(scene, (object) => object.shape === shape).colour };
  const colour = asked(/^What is the (\w+) shape\?$/);
  if (colour !== undefined) return { kind: 'shape', answer: only(scene, (object) => object.colour === colour).shape };
  const counted = asked(/^How many (?:all )?(.+) are there\?$/);
  if (counted !== undefined) {
    return { kind: 'count', answer: NUMBERS[meaningOf(scene, `all ${counted}`).named.length] ?? '?' };
  }
  if (question === 'What is in this image?') return { kind: 'list', answer: listAnswer(scene) };
  throw new Error(`an unknown question: ${question}`);
}

function questionOf(turn: Turn): string {
  return turn.user.replace(`${IMAGE_PLACEHOLDER}\n`, '');
}

describe('baseConversation', () => {
  test('every answer is right: places, colours, shapes, counts, lists', () => {
    const seen = new Map<string, number>();
    for (const { scene, turns } of conversations) {
      for (const turn of turns) {
        const { kind, answer } = answerTo(scene, questionOf(turn));
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        expect({ question: turn.user, answer: turn.assistant }).toEqual({ question: turn.user, answer });
      }
    }
    expect([...seen.keys()].sort()).toEqual(['colour', 'count', 'list', 'presence', 'shape']);
  });

  test('a place names the cell that the visible centre is in: columns a to h, rows 1 to 8 from the top', () => {
    const places = conversations
      .flatMap(({ turns }) => turns.map((turn) => turn.assistant))
      .flatMap((answer) => answer?.match(/\b[a-h][1-8]\b/g) ?? []);
    expect(new Set(places.map((place) => place.charAt(0))).size).toBe(8);
    expect(new Set(places.map((place) => place.charAt(1))).size).toBe(8);
  });

  test('the image stands once, at the start; one to six expressions are asked about first', () => {
    for (const { turns } of conversations) {
      expect(turns.map(({ user }) => user.split(IMAGE_PLACEHOLDER).length - 1)).toEqual(
        turns.map((_, index) => (index === 0 ? 1 : 0)),
      );
      const [first] = turns;
      expect(first?.user.startsWith(`${IMAGE_PLACEHOLDER}\nWhat are `)).toBe(true);
      expect(first?.user.split(', ').length).toBeLessThanOrEqual(6);
    }
  });

  test('it knows nothing of GSVA: no added token occurs, and the same generator gives the same conversation', () => {
    for (const [index, { scene, turns }] of conversations.entries()) {
      const text = JSON.stringify(turns);
      for (const token of ADDED_TOKENS) expect(text).not.toContain(token);
      if (index < 20) expect(baseConversation(scene, sceneRandom(31, 'base', index).fork(2), 6)).toEqual(turns);
    }
  });
});
