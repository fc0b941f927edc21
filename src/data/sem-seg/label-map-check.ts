/** Label maps as the reader demands them, without making samples of them: kind of PNG, and the numbers of the classes. */
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../../errors.js';
import { indexPngFault, readIndexPng } from '../../io/image/index-png.js';
import { pngFile } from '../../io/image/png-file.js';
import { type NumberedClasses, presentClasses } from './label-map-classes.js';

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
