/** The classes of Pascal VOC and the colours that stand for them in its label maps. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import type { ColourMap } from '../../io/image/colour-png.js';
import { readText } from '../../io/json/json-file.js';
import { expressionOf } from './own-data-writer.js';

/** In the order of their numbers, from 1. */
const PUBLISHED = (
  'aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person, ' +
  'pottedplant, sheep, sofa, train, tvmonitor'
).split(', ');
/** Number of the border between objects, and of unclear pixels. */
const VOID = 255;

export class VocClasses {
  private constructor(
    private readonly byColour: ReadonlyMap<number, string | null>,
    private readonly byNumber: readonly (string | null)[],
  ) {}

  /**
   * Classes of the folder's labelmap.txt (as CVAT writes it), else the twenty published ones.
   * @throws UserError where labelmap.txt cannot be read
   */
  static of(folder: string): VocClasses {
    const file = join(folder, 'labelmap.txt');
    if (existsSync(file)) return VocClasses.read(file);
    const names = [null, ...PUBLISHED];
    return new VocClasses(new Map(names.map((name, number) => [colourOf(number), name])), names);
  }

  /** Lines "name:red,green,blue:parts:actions"; "background" is none. */
  private static read(file: string): VocClasses {
    const byColour = new Map<number, string | null>();
    const names: (string | null)[] = [];
    for (const [index, line] of readText(file, 'names and colours of the classes').split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue;
      const [label = '', colour = ''] = line.split(':');
      const samples = colour.split(',').map(Number);
      const isColour =
        samples.length === 3 && samples.every((sample) => Number.isInteger(sample) && sample >= 0 && sample < 256);
      if (!isColour)
        throw new UserError(
          `${file}, line ${index + 1}: expected name:red,green,blue::, found ${JSON.stringify(line.slice(0, 80))}.`,
        );
      const name = label.trim() === 'background' ? null : expressionOf(label);
      byColour.set(
        samples.reduce((sum, sample) => sum * 256 + sample, 0),
        name,
      );
      names.push(name);
    }
    if (!byColour.has(0)) byColour.set(0, null);
    return new VocClasses(byColour, names);
  }

  /** The class of a colour, or of a number in a grey map; null for none, undefined for one that nobody knows. */
  classOf(value: number, { isNumbered }: Pick<ColourMap, 'isNumbered'>): string | null | undefined {
    if (isNumbered) return value === VOID ? null : this.byNumber[value];
    return value === colourOf(VOID) ? (this.byColour.get(value) ?? null) : this.byColour.get(value);
  }
}

/** The colour that VOC's palette has for a number: its bits, three by three, are the highest bits of red, green, blue. */
export function colourOf(number: number): number {
  const samples = [0, 0, 0];
  for (let bit = 0; bit < 8; bit++) {
    for (let channel = 0; channel < 3; channel++) {
      samples[channel] = (samples[channel] as number) | (((number >> (3 * bit + channel)) & 1) << (7 - bit));
    }
  }
  return samples.reduce((sum, sample) => sum * 256 + sample, 0);
}
