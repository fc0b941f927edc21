/** Own data where a dataset is named: "my/data.jsonl", or "my/data.jsonl:val" for another split than train. */
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';

export interface OwnDataSpec {
  readonly file: string;
  readonly split: OwnSplit;
}

const ENDING = /\.jsonl?$/i;

/** Null for the name of a published dataset. */
export function ownDataSpec(text: string): OwnDataSpec | null {
  const split = OWN_SPLITS.find((name) => text.endsWith(`:${name}`));
  const file = split === undefined ? text : text.slice(0, -split.length - 1);
  return ENDING.test(file) ? { file, split: split ?? 'train' } : null;
}
