/** Resizing equals Pillow's bit by bit; the encoders' inputs have the reference's sizes, values and padding. */
import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  CLIP_MEAN,
  CLIP_STD,
  clipTransform,
  resizeForClip,
  resizeLongestSide,
  samTransform,
} from '../../../src/data/image/image-transforms.js';
import { resizePillow } from '../../../src/data/image/pillow-resample.js';
import type { RgbImage } from '../../../src/types.js';

/** Bytes of a linear congruence; the checksums below were made by Pillow 11.3 from the same bytes. */
function picture(height: number, width: number): RgbImage {
  let state = (height * 1000003 + width) >>> 0;
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return { data, height, width };
}

describe('resizePillow', () => {
  // height, width, new height, new width, CRC-32 of Pillow's BILINEAR, of its BICUBIC
  test.each([
    [480, 640, 336, 448, 0xe5ba14b2, 0x7dfe69a0],
    [480, 640, 768, 1024, 0x380bf5ff, 0xdab7cb04],
    [97, 61, 40, 200, 0xee3a0a9c, 0xe8326c13],
    [61, 97, 200, 40, 0xdfd27178, 0xba4e1f25],
    [300, 300, 7, 5, 0x9e5b85cf, 0x8e71bd09],
    [3, 5, 64, 31, 0x2e8f2023, 0x480d1292],
    [1, 1, 9, 4, 0x33f40868, 0x33f40868],
    [50, 40, 50, 80, 0x15511e8a, 0x3e1db079],
    [50, 40, 25, 40, 0x3ecf3393, 0x8f8cb1f4],
    [200, 133, 1, 1, 0xe5f31066, 0xe5f31066],
    [333, 500, 224, 336, 0xdd16839a, 0x5bf36d26],
    [640, 427, 335, 224, 0xf3564695, 0x459ca0bf],
  ])('%i x %i to %i x %i gives the bytes that Pillow gives', (height, width, toHeight, toWidth, bilinear, bicubic) => {
    const image = picture(height, width);
    expect(crc32(resizePillow(image, toHeight, toWidth, 'bilinear').data)).toBe(bilinear);
    expect(crc32(resizePillow(image, toHeight, toWidth, 'bicubic').data)).toBe(bicubic);
  });

  test('keeps a single colour and, at its own size, every pixel (as a copy)', () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, side, side, fc.nat(255), (height, width, toHeight, toWidth, grey) => {
        const flat = { data: new Uint8Array(height * width * 3).fill(grey), height, width };
        for (const filter of ['bilinear', 'bicubic'] as const) {
          expect(resizePillow(flat, toHeight, toWidth, filter).data.every((value) => value === grey)).toBe(true);
        }
        const same = resizePillow(flat, height, width, 'bilinear');
        expect(same).toEqual(flat);
        expect(same.data).not.toBe(flat.data);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  test('refuses sizes that are not whole numbers from 1 up', () => {
    expect(() => resizePillow(picture(2, 2), 0, 4, 'bilinear')).toThrow('cannot resize 2x2 to 0x4');
    expect(() => resizePillow(picture(2, 2), 1.5, 4, 'bilinear')).toThrow('1.5x4');
  });
});

describe('transforms', () => {
  test('the longest side becomes the size, halves are rounded up', () => {
    expect(resizeLongestSide(480, 640, 1024)).toEqual([768, 1024]);
    expect(resizeLongestSide(640, 427, 1024)).toEqual([1024, 683]);
    expect(resizeLongestSide(3, 8, 4)).toEqual([2, 4]);
    expect(resizeLongestSide(1, 5000, 64)).toEqual([1, 64]);
  });

  test('samTransform pads with zeros to the right and below, and normalises what is inside', () => {
    const { data, height, width } = samTransform(
      { data: Uint8Array.of(0, 128, 255, 255, 0, 128), height: 1, width: 2 },
      4,
    );
    expect([height, width, data.length]).toEqual([2, 4, 4 * 4 * 3]);
    expect(data[0]).toBeCloseTo((0 - 123.675) / 58.395, 5);
    expect(data[1]).toBeCloseTo((128 - 116.28) / 57.12, 5);
    expect(data[2]).toBeCloseTo((255 - 103.53) / 57.375, 5);
    expect(data.subarray(2 * 4 * 3).every((value) => value === 0)).toBe(true);
    const tall = samTransform({ data: new Uint8Array(6), height: 2, width: 1 }, 4).data;
    for (let y = 0; y < 4; y++) {
      expect(tall[(y * 4 + 1) * 3]).not.toBe(0);
      expect([...tall.subarray((y * 4 + 2) * 3, (y * 4 + 4) * 3)]).toEqual([0, 0, 0, 0, 0, 0]);
    }
  });

  test('clipTransform keeps the centre of the longer side, whichever it is', () => {
    const wide = picture(4, 11);
    const crop = resizeForClip(wide, 4);
    expect([...crop.data.subarray(0, 3)]).toEqual([...wide.data.subarray(3 * 3, 4 * 3)]);
    const tall = picture(11, 4);
    expect([...resizeForClip(tall, 4).data]).toEqual([...tall.data.subarray(3 * 12, 7 * 12)]);
    const { data } = clipTransform(tall, 4);
    const expected = ((tall.data[3 * 12 + 1] as number) / 255 - CLIP_MEAN[1]) / CLIP_STD[1];
    expect(data[1]).toBeCloseTo(expected, 5);
  });
});
