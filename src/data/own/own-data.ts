/** A user's own data (docs/your-data.md) for training and evaluation, with the interface of `ReferDataset`. */
import { basename } from 'node:path';
import { UserError } from '../../errors.js';
import { gsvaCommand } from '../../program.js';
import { type MaskSource, unionOfSources } from '../masks/coco-mask-annotation.js';
import type { Rle } from '../masks/coco-mask.js';
import {
  LazyExpression,
  type ReferDataset,
  type ReferRequest,
  type ReferringImage,
  referringTarget,
} from '../refer/refer-dataset.js';
import { type TrainingSet, trainingSet } from '../facts.js';
import { OwnProblems, placeOf, readOwnFile } from './own-data-file.js';
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';

/** Number of reported problems before the advice. */
const TOLD_PROBLEMS = 3;

/** Images in the order of the file; `imageId` is the number of the line. */
export interface OwnData extends Pick<ReferDataset, 'images' | 'targets'>, TrainingSet<ReferRequest> {
  /** Whether the file names the split of any image. */
  readonly hasSplits: boolean;
}

/**
 * Reads the lines of one split. A file without splits serves as any split.
 * @throws UserError with the first problems of the file, if it has any, or where this split is empty
 */
export async function openOwnData(file: string, split: OwnSplit): Promise<OwnData> {
  const problems = new OwnProblems(TOLD_PROBLEMS);
  const { images: all, hasSplits } = await readOwnFile(file, problems);
  if (problems.total > 0) {
    const more = problems.total > TOLD_PROBLEMS ? ` And ${problems.total - TOLD_PROBLEMS} more.` : '';
    const told = problems.first.map(({ message }) => message).join(' ');
    throw new UserError(`${told}${more} \`${gsvaCommand(`data validate ${file}`)}\` shows all and checks the masks.`);
  }
  if (all.length === 0) throw new UserError(`${file}: there is no line in it; see docs/your-data.md.`);
  const own = hasSplits ? all.filter((image) => image.split === split) : all;
  if (own.length === 0) {
    const counts = OWN_SPLITS.map((name) => `${name} ${all.filter((image) => image.split === name).length}`);
    throw new UserError(
      `${file}: no line has "split": "${split}" (${counts.join(', ')}). Give some images this split, or choose another.`,
    );
  }
  /** By annotation id. */
  const masks: MaskSource[] = [];
  const masksOf = (ids: readonly number[]): MaskSource[] => ids.map((id) => masks[id] as MaskSource);
  type Place = Omit<ReferringImage, 'expressions'>;
  const unionOf = ({ imageId, fileName, height, width }: Place, ids: readonly number[], line = imageId): Rle =>
    unionOfSources(masksOf(ids), height, width, `${placeOf(file, line)}: ${fileName}`);
  const images = own.map(({ line, image, path, height, width, expressions }): ReferringImage => {
    const place = { imageId: line, fileName: image, path, height, width };
    return {
      ...place,
      expressions: expressions.map(({ line: ownLine, text, masks: sources }) => {
        const ids = sources.map((mask) => masks.push(mask) - 1);
        // In lower case but in training, as the published sets.
        const cased = split === 'train' ? text : text.toLowerCase();
        return new LazyExpression(cased, ids, () => unionOf(place, ids, ownLine));
      }),
    };
  });
  const set = trainingSet<ReferringImage, ReferRequest>(basename(file), 'refer_seg', images, (image) => {
    const { imageId, path, height, width } = image;
    const origin = placeOf(file, imageId);
    const expressions = image.expressions.map(({ text, annotationIds }) => {
      return { text, masks: masksOf(annotationIds).map((mask) => ('png' in mask ? mask : { ...mask, origin })) };
    });
    return { image: path, height, width, expressions };
  });
  const targets: OwnData['targets'] = (image) =>
    image.expressions.map(({ text, annotationIds }) => referringTarget(text, unionOf(image, annotationIds)));
  return { ...set, images, hasSplits, targets };
}
