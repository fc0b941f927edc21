/**
 * LLaVA-Instruct-150K (Liu et al. 2023): <dataDir>/llava_dataset/llava_instruct_150k.json on <dataDir>/coco/train2017.
 */
import { join } from 'node:path';

import { UserError } from '../../errors.js';
import { type JsonPlace, readJsonRecords } from '../annotation-files.js';
import type { TrainingSet } from '../sampling/training-sample.js';
import type { Sentence, VqaRequest } from './vqa-sample.js';

const NAME = 'LLaVA-Instruct-150K';
const ADVICE =
  "Put llava_instruct_150k.json into <data>/llava_dataset and unpack COCO's train2017.zip into <data>/coco.";

export interface InstructRecord {
  readonly fileName: string;
  readonly sentences: readonly Sentence[];
}

export class LlavaInstruct implements TrainingSet<VqaRequest> {
  readonly kind = 'vqa';
  readonly name = NAME;
  readonly length: number;

  private constructor(
    private readonly file: string,
    private readonly imageDir: string,
    /** In the order of the file. An image may have several. */
    readonly records: readonly InstructRecord[],
  ) {
    this.length = records.length;
  }

  /** @throws UserError where the file is missing, malformed or empty; what is said is looked into when it is used */
  static open(dataDir: string): LlavaInstruct {
    const file = join(dataDir, 'llava_dataset', 'llava_instruct_150k.json');
    const records: InstructRecord[] = [];
    readJsonRecords(NAME, file, ADVICE, (place) => {
      records.push(readRecord(place));
    });
    if (records.length === 0) throw new UserError(`Reading ${NAME}: ${file} is an empty list. ${ADVICE}`);
    return new LlavaInstruct(file, join(dataDir, 'coco', 'train2017'), records);
  }

  requestAt(index: number): VqaRequest {
    const record = this.records[index];
    if (record === undefined) throw new Error(`${NAME} has no record ${index}`);
    return {
      kind: 'vqa',
      set: NAME,
      image: join(this.imageDir, record.fileName),
      source: `record [${index}] of ${this.file}`,
      sentences: record.sentences,
    };
  }
}

function readRecord(place: JsonPlace): InstructRecord {
  const name = place.key('image');
  const fileName = name.text();
  // It is joined to a folder, which it must not lead out of.
  if (!/^[^/\\\0]+$/.test(fileName) || fileName === '.' || fileName === '..') {
    throw name.wrong('a file name without a folder');
  }
  const sentences = place
    .key('conversations')
    .list()
    .map((sentence) => ({ from: sentence.key('from').text(), value: sentence.key('value').text() }));
  return { fileName, sentences };
}
