/** Referring expressions: what the English says is what the targets are, clearly; and the mixture is as announced. */
import { describe, expect, test } from '@jest/globals';

import { EXPRESSION_KINDS, MARGIN, type SceneExpression, sceneExpressions } from '../../src/synthetic/expressions.js';
import { type Scene, sceneRandom, synthScene } from '../../src/synthetic/scene.js';
import { meaningOf } from './scene-english.js';

const made = Array.from({ length: 300 }, (_, index) => {
  const scene = synthScene(21, 'val', index);
  return { scene, expressions: sceneExpressions(scene, sceneRandom(21, 'val', index).fork(1), 9) };
});
const all = made.flatMap(({ scene, expressions }) => expressions.map((expression) => ({ scene, expression })));

function ofKind(kind: SceneExpression['kind']): { scene: Scene; expression: SceneExpression }[] {
  return all.filter(({ expression }) => expression.kind === kind);
}

describe('sceneExpressions', () => {
  test('are reproducible, nine to a scene and different from each other', () => {
    for (const [index, { scene, expressions }] of made.slice(0, 50).entries()) {
      expect(sceneExpressions(scene, sceneRandom(21, 'val', index).fork(1), 9)).toEqual(expressions);
      expect(new Set(expressions.map(({ text }) => text)).size).toBe(expressions.length);
    }
    expect(all.length).toBeGreaterThan(0.99 * 9 * made.length);
  });

  test('about a third have no target, about a sixth have several, every kind occurs', () => {
    const share = (fits: (objects: readonly number[]) => boolean): number =>
      all.filter(({ expression }) => fits(expression.objects)).length / all.length;
    expect(share((objects) => objects.length === 0)).toBeGreaterThan(0.3);
    expect(share((objects) => objects.length === 0)).toBeLessThan(0.38);
    expect(share((objects) => objects.length > 1)).toBeGreaterThan(0.12);
    expect(share((objects) => objects.length > 1)).toBeLessThan(0.22);
    for (const kind of EXPRESSION_KINDS) expect(ofKind(kind).length / all.length).toBeGreaterThan(0.025);
    expect(new Set(ofKind('several').map(({ expression }) => /^both|^all|and/.exec(expression.text)?.[0]))).toEqual(
      new Set(['both', 'all', 'and']),
    );
  });

  test('the English text, evaluated anew on the pixels, means the targets, and no border is nearer than the margin', () => {
    expect(MARGIN).toBe(0.04);
    for (const { scene, expression } of all) {
      const { objects, margin } = meaningOf(scene, expression.text);
      expect({ text: expression.text, objects }).toEqual({ text: expression.text, objects: expression.objects });
      expect(margin).toBeGreaterThanOrEqual(MARGIN - 1e-9);
    }
  });

  test('a single target is the only one; both are two, all at least three; "and" joins two different single ones', () => {
    for (const { scene, expression } of all) {
      const { objects, named, number, anchors } = meaningOf(scene, expression.text);
      if (number === 'one') expect(objects.length).toBeLessThanOrEqual(1);
      if (number === 'both') expect(named).toHaveLength(2);
      if (number === 'all') expect(named.length).toBeGreaterThanOrEqual(3);
      if (number === 'pair') expect(new Set(objects).size).toBe(2);
      // "the bar" in "left of the bar" must be one bar.
      if (/ of | above | below /.test(expression.text)) expect(anchors).toHaveLength(1);
    }
  });

  test('what is absent: nothing like it at all, not in this half, or not in this relation', () => {
    for (const { scene, expression } of ofKind('absent-object')) {
      expect(meaningOf(scene, expression.text).named).toEqual([]);
    }
    for (const kind of ['absent-position', 'absent-relation'] as const) {
      for (const { scene, expression } of ofKind(kind)) {
        const { named, objects } = meaningOf(scene, expression.text);
        expect(named.length).toBeGreaterThan(0);
        expect(objects).toEqual([]);
      }
    }
  });

  test('kind and form agree', () => {
    const forms: Record<SceneExpression['kind'], RegExp> = {
      attribute: /^(?:\w+ )?(?:circle|square|triangle|bar)$/,
      position: /^(?:left|right|top|bottom) /,
      relation: / (?:left of|right of|above|below) the /,
      several: /^both |^all | and /,
      'absent-object': /^(?:\w+ )?(?:circle|square|triangle|bar)$/,
      'absent-position': /^(?:left|right|top|bottom) /,
      'absent-relation': / (?:left of|right of|above|below) the /,
    };
    for (const { expression } of all) expect(expression.text).toMatch(forms[expression.kind]);
  });
});
