/** Sets with a label map per image (ADE20K, COCO-Stuff, Mapillary Vistas): a PNG whose pixels are class numbers. */
import { readdirSync } from 'node:fs';

import { UserError, messageOf } from '../../errors.js';
import type { NumberedClasses } from './label-map-classes.js';
import type { LabelMapRequest } from './sem-seg-sample.js';
import type { TrainingSet } from '../sampling/training-sample.js';

export interface LabelMapSource {
  readonly name: string;
  readonly classes: NumberedClasses;
  /** Classes of the list that the annotators never marked, though the pictures may show them. */
  readonly neverMarked: readonly string[];
  readonly images: readonly { readonly image: string; readonly labels: string }[];
}

export class LabelMapDataset implements TrainingSet<LabelMapRequest> {
  readonly kind = 'sem_seg';
  readonly name: string;
  readonly length: number;
  readonly images: LabelMapSource['images'];
  readonly classes: NumberedClasses;

  constructor(private readonly source: LabelMapSource) {
    this.name = source.name;
    this.images = source.images;
    this.length = source.images.length;
    this.classes = source.classes;
  }

  requestAt(index: number): LabelMapRequest {
    const { name, images, classes, neverMarked } = this.source;
    const files = images[index];
    if (files === undefined) throw new Error(`${name} has no image ${index}`);
    return { kind: 'sem_seg', set: name, ...files, classes, neverMarked };
  }
}

/** Sorted names, without `ending`, of a folder's files. @throws UserError where the folder is missing or has none */
export function filesEndingIn(ending: string, folder: string, set: string, advice: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new UserError(`Reading ${set}: cannot list ${folder} (${messageOf(error)}). ${advice}`);
  }
  const stems = names
    .filter((name) => name.endsWith(ending) && !name.startsWith('.'))
    .map((name) => name.slice(0, -ending.length))
    .sort();
  if (stems.length === 0) throw new UserError(`Reading ${set}: ${folder} has no *${ending} files. ${advice}`);
  return stems;
}
