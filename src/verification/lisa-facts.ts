/** Facts of the pictures that LISA's recorded samples are about, with every draw the first or the last choice. */
import { join } from 'node:path';
import { openReferringSet } from '../data/dataset-registry.js';
import type { Facts, Target } from '../data/facts.js';
import { decodeMask, rleArea } from '../data/masks/coco-mask.js';
import { unionOfSources } from '../data/masks/mask-source.js';
import { readReasonAnnotation, reasonMasks } from '../data/reason/reason-annotation.js';
import { ReasonSeg, type ReasonSegSplit } from '../data/reason/reason-seg.js';
import { referTrainingSet } from '../data/refer/refer-training-set.js';
import type { DatasetKind, RequestOf, TrainingSet } from '../data/sampling/training-sample.js';
import { classText } from '../data/sem-seg/class-name.js';
import { LlavaInstruct } from '../data/vqa/llava-instruct.js';
import { turnsOf } from '../data/vqa/vqa-sample.js';
import { readImageSize } from '../io/image/image-file.js';
import { Random } from '../random.js';
import { recordedPath } from './datasets-recorded.js';
import { segmentedImages } from './datasets-sem-seg.js';

/** Draws in [0, 1) that make the first and the last of any choices. */
export const FIRST = 0;
export const LAST = 1 - 2 ** -32;

/** Draws these numbers, then always the same. */
export class Scripted extends Random {
  constructor(
    private readonly always: number,
    private readonly before: number[] = [],
  ) {
    super(0);
  }

  override uniform(): number {
    return this.before.shift() ?? this.always;
  }
}

/** The first or last three of all facts of a picture. @param how begins with the name of the set */
export async function recordedFacts(
  kind: DatasetKind,
  how: string,
  image: string,
  dataDir: string,
  choice: number,
): Promise<Facts> {
  const [name = ''] = how.split(',');
  const facts = await factsOf(kind, name, image, dataDir, choice);
  return { ...facts, targets: choice === FIRST ? facts.targets.slice(0, 3) : facts.targets.slice(-3) };
}

async function factsOf(
  kind: DatasetKind,
  name: string,
  image: string,
  dataDir: string,
  choice: number,
): Promise<Facts> {
  const size = await readImageSize(join(dataDir, image));
  const facts = { kind, ...size, targets: [], turns: [], explanation: null };
  switch (kind) {
    case 'vqa':
      return { ...facts, turns: turnsOf(found(LlavaInstruct.open(dataDir), dataDir, image)) };
    case 'reason_seg': {
      const { annotation: file, explanation } = found(
        ReasonSeg.open(dataDir, image.split('/').at(-2) as ReasonSegSplit).trainingSet(),
        dataDir,
        image,
      );
      const annotation = readReasonAnnotation(file);
      const { target: mask } = reasonMasks(annotation, size.height, size.width);
      const wording = annotation.isSentence ? 'sentence' : 'expression';
      return { ...facts, targets: annotation.texts.map((text) => ({ text, wording, mask })), explanation };
    }
    case 'refer_seg': {
      const { expressions } = found(referTrainingSet(name, openReferringSet(name, dataDir, 'train')), dataDir, image);
      const targets = expressions.map(({ text, masks }): Target => {
        const rle = unionOfSources(masks, size.height, size.width, `Reading ${name}`);
        return { text, wording: 'expression', mask: rleArea(rle) === 0 ? null : decodeMask(rle) };
      });
      return { ...facts, targets };
    }
    case 'sem_seg': {
      const segmented = segmentedImages(name, dataDir).find(({ path }) => image.endsWith(path));
      if (segmented === undefined) throw new Error(`${name} has no ${image}`);
      const targets = segmented.classes.map((text, i): Target => {
        const [object = '', part] = text.split(':');
        const className = part === undefined ? object : ([object, part] as const);
        return { text: classText(new Scripted(choice), className), wording: 'class', mask: segmented.masks[i] ?? null };
      });
      return { ...facts, targets };
    }
  }
}

function found<R extends RequestOf<DatasetKind>>(set: TrainingSet<R>, dataDir: string, image: string): R {
  for (let i = 0; i < set.length; i++) {
    const request = set.requestAt(i);
    if (recordedPath(dataDir, request.image) === image) return request;
  }
  throw new Error(`${set.name} has no ${image}`);
}
