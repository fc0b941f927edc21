/** Description of a run's images and split, for titles and the terminal. */
import { basename } from 'node:path';
import type { RecordFile } from '../records/record.js';
import { isDrawnName } from './published-splits.js';

export interface MeasuredSet {
  readonly dataset: string;
  readonly split: string;
  /** Images that were measured, from the start of the split. */
  readonly images: number;
  /** Images of the split in the data; null where only records are at hand. */
  readonly total: number | null;
  /** Whether they are drawn scenes of the embedded benchmark, in any layout. */
  readonly isDrawn: boolean;
  readonly data: string | null;
}

/** @param images at least one file name of the split, from the records or the dataset */
export function isDrawnSet(images: readonly { readonly fileName: string }[]): boolean {
  return images.length > 0 && images.every(({ fileName }) => isDrawnName(fileName));
}

/** @param dataset the opened split, for its size; null where only records are at hand */
export function measuredSet(
  { header, images }: Pick<RecordFile, 'header' | 'images'>,
  dataset: { readonly images: readonly { readonly fileName: string }[] } | null,
  data: string | null,
): MeasuredSet {
  return {
    dataset: header.dataset,
    split: header.split,
    images: images.length,
    total: dataset?.images.length ?? null,
    isDrawn: isDrawnSet(images),
    data,
  };
}

/**
 * "12 drawn images of the embedded benchmark, val"; "the first 100 of 1,500 images of grefcoco val"; "40 images of
 * mine.jsonl, val".
 */
export function measuredWords({ dataset, split, images, total, isDrawn, data }: MeasuredSet): string {
  const isPart = total !== null && images < total;
  const count = isPart ? `the first ${number(images)} of ${number(total)}` : number(images);
  const noun = isPart || images !== 1 ? 'images' : 'image';
  if (isDrawn) {
    const layout = dataset === 'grefcoco' ? '' : ` in the layout of ${dataset}`;
    return `${count} drawn ${noun} of the embedded benchmark${layout}, ${split}`;
  }
  if (dataset === 'own') return `${count} ${noun} of ${data === null ? 'own data' : basename(data)}, ${split}`;
  return `${count} ${noun} of ${dataset} ${split}`;
}

export function number(value: number): string {
  return value.toLocaleString('en-US');
}
