/** The "did you mean" of error messages. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { didYouMean, editDistance, nearestName } from '../src/nearest-name.js';

describe('editDistance', () => {
  test('counts insertions, deletions, replacements and swaps of neighbours', () => {
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('vla', 'val')).toBe(1);
  });

  test('is symmetric, zero for equals only, and bounded by the longer text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a === b);
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
      { seed: 1 },
    );
  });
});

describe('nearestName', () => {
  test('finds what was meant, letter case aside', () => {
    expect(nearestName('learningrate', ['learningRate', 'batch'])).toBe('learningRate');
    expect(nearestName('sgement', ['train', 'segment'])).toBe('segment');
  });

  test('takes the beginning of one name for it', () => {
    expect(nearestName('expr', ['image', 'expressions'])).toBe('expressions');
    expect(nearestName('ref', ['refcocogoogle', 'refzom'])).toBeNull();
    expect(nearestName('se', ['segmentation'])).toBeNull();
  });

  test('stays silent when nothing is near or the name is absurdly long', () => {
    expect(nearestName('zzz', ['train', 'eval'])).toBeNull();
    expect(nearestName('x'.repeat(1e6), ['train'])).toBeNull();
    expect(didYouMean('zzz', ['train'])).toBe('');
  });
});
