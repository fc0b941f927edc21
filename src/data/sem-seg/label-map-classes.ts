/** Classes that the numbers of a label map stand for, and their masks. */
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf, UserError } from '../../errors.js';
import { indexPngFault, type LabelMap, pngFile, readIndexPng } from '../../io/image/index-png.js';
import type { BinaryMask } from '../../types.js';

/** The class that each number stands for; null where the set's rules leave it out. */
export type NumberedClasses = readonly (string | null)[];

/** Pixels of no class, in every set. */
const NO_CLASS = 255;

export interface PresentClass {
  readonly value: number;
  readonly name: string;
}

/** Classes of a label map by number. @throws UserError where it has a number that stands for nothing */
export function presentClasses(labels: LabelMap, classes: NumberedClasses, path: string): PresentClass[] {
  const pixels = new Uint32Array(256);
  for (const value of labels.data) pixels[value] = (pixels[value] as number) + 1;
  const present: PresentClass[] = [];
  for (const [value, count] of pixels.entries()) {
    if (count === 0 || value === NO_CLASS) continue;
    const name = classes[value];
    if (name === undefined) {
      throw new UserError(
        `Reading ${path}: ${count} of its pixels have the class number ${value}; expected 0 to ${classes.length - 1}, ` +
          `or ${NO_CLASS} for none. Use the published file.`,
      );
    }
    if (name !== null) present.push({ value, name });
  }
  return present;
}

/** Where a label map has the number. */
export function classMask({ data, height, width }: LabelMap, value: number): BinaryMask {
  const inside = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) if (data[i] === value) inside[i] = 1;
  return { data: inside, height, width };
}

/** Signature and header chunk of a PNG. */
const HEADER_BYTES = 64;

/** The fault in the header of a label map, null without one. Reads its first bytes alone. */
export function labelMapHeaderFault(path: string): string | null {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(HEADER_BYTES);
      return indexPngFault(pngFile(bytes.subarray(0, readSync(file, bytes))));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return messageOf(error);
  }
}

/** The fault in the numbers of a label map, null without one. Decodes all of it. */
export function labelMapFault(path: string, classes: NumberedClasses): string | null {
  try {
    presentClasses(readIndexPng(path), classes, path);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
