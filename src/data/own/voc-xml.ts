/** Annotations of Pascal VOC (one XML per picture): the size of the picture and the names of its objects. */
import { UserError, messageOf } from '../../errors.js';
import { readText } from '../../io/json/json-file.js';
import { type XmlElement, childOf, parseXml } from '../../io/xml.js';
import type { Size } from '../image/size-mismatch.js';
import { expressionOf } from './own-data-writer.js';

export interface VocAnnotation {
  /** Null where the file does not say; some programs write 0. */
  readonly size: Size | null;
  /** In the order of the file; null for one whose name cannot be asked for, with the reason in `faults`. */
  readonly objects: readonly (string | null)[];
  readonly faults: readonly string[];
}

/** @throws UserError where it cannot be read or is another kind of XML */
export function readVocXml(file: string): VocAnnotation {
  const root = parseXml(readText(file, "Pascal VOC's annotations"), file);
  if (root.name !== 'annotation') throw new UserError(`${file}: its element is <${root.name}>, expected <annotation>.`);
  const size = childOf(root, 'size');
  const [width, height] = [pixels(size, 'width'), pixels(size, 'height')];
  const faults: string[] = [];
  const objects = root.children
    .filter(({ name }) => name === 'object')
    .map((object, index) => {
      try {
        return expressionOf(childOf(object, 'name')?.text ?? '');
      } catch (error) {
        faults.push(`${file}: object ${index + 1}: ${messageOf(error)}`);
        return null;
      }
    });
  return { size: width > 0 && height > 0 ? { height, width } : null, objects, faults };
}

function pixels(size: XmlElement | null, name: string): number {
  const value = Number((size === null ? null : childOf(size, name))?.text ?? 0);
  return Number.isInteger(value) ? value : 0;
}
