/**
 * ReasonSeg in its published layout (reference: ReasonSegDataset, ValDataset):
 *
 *   <dataDir>/reason_seg/ReasonSeg/<split>/*.jpg           pictures
 *   <dataDir>/reason_seg/ReasonSeg/<split>/*.json          what is asked about each, and the answer's shapes
 *   <dataDir>/reason_seg/ReasonSeg/explanatory/train.json  why, in words, for some pictures of train
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { UserError } from '../../errors.js';
import { readJsonRecords } from '../annotation-files.js';
import type { ReasonRequest } from './reason-sample.js';
import type { TrainingSet } from '../sampling/training-sample.js';

export type ReasonSegSplit = 'train' | 'val' | 'test';

export interface ReasonSegImage {
  /** Name of the picture's file. */
  readonly name: string;
  readonly path: string;
  /** Path of its JSON file, to be read by readReasonAnnotation. */
  readonly annotation: string;
  /** Why the target is what is asked for; in train, for some. */
  readonly explanation: string | null;
}

const NAME = 'ReasonSeg';
const ADVICE = 'Put the published folders train, val, test and explanatory into <data>/reason_seg/ReasonSeg.';

export class ReasonSeg {
  private constructor(
    readonly split: ReasonSegSplit,
    /** In the order of their names. */
    readonly images: readonly ReasonSegImage[],
  ) {}

  /**
   * Lists the pictures of a split. Their annotations are read by whoever needs them.
   * @throws UserError where a folder, the explanations or, but for train, an annotation is missing: in training that is
   *   the sample's fault.
   */
  static open(dataDir: string, split: ReasonSegSplit): ReasonSeg {
    const root = join(dataDir, 'reason_seg', 'ReasonSeg');
    const folder = join(root, split);
    if (!existsSync(folder)) throw new UserError(`Reading ${NAME}: ${folder} is missing. ${ADVICE}`);
    const names = readdirSync(folder).filter((name) => name.endsWith('.jpg'));
    if (names.length === 0) throw new UserError(`Reading ${NAME}: ${folder} has no .jpg files. ${ADVICE}`);
    const explanations = split === 'train' ? readExplanations(join(root, 'explanatory', 'train.json')) : null;
    const images = names.sort().map((name): ReasonSegImage => {
      const annotation = join(folder, name.replace(/\.jpg$/, '.json'));
      if (split !== 'train' && !existsSync(annotation)) {
        throw new UserError(`Reading ${NAME}: ${annotation} is missing next to ${name}. ${ADVICE}`);
      }
      return { name, path: join(folder, name), annotation, explanation: explanations?.get(name) ?? null };
    });
    return new ReasonSeg(split, images);
  }

  /** To train on. */
  trainingSet(): TrainingSet<ReasonRequest> {
    const { images } = this;
    return {
      name: NAME,
      kind: 'reason_seg',
      length: images.length,
      requestAt: (index) => {
        const image = images[index];
        if (image === undefined) throw new RangeError(`${NAME}: no image ${index} in ${images.length}`);
        const { path, annotation, explanation } = image;
        return { kind: 'reason_seg', set: NAME, image: path, annotation, explanation };
      },
    };
  }
}

/** By the name of the picture. */
function readExplanations(path: string): Map<string, string> {
  if (!existsSync(path)) throw new UserError(`Reading ${NAME}: ${path} is missing. ${ADVICE}`);
  const explanations = new Map<string, string>();
  readJsonRecords(NAME, path, ADVICE, (record) => {
    explanations.set(record.key('image').text(), record.key('outputs').text());
  });
  return explanations;
}
