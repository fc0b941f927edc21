/**
 * Every evaluation split of every referring dataset, to the id and the pixel as the reference has it: expected_val.json
 * was recorded from it, in both styles of conversation, on the miniature datasets beside it.
 */
import { readFileSync } from 'node:fs';
import { relative, sep } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { encodeMask, rleArea, rleToString } from '../../src/data/coco-mask.js';
import { type ConversationStyle, renderConversation, tokenizeConversation } from '../../src/data/conversation.js';
import { GRefCoco } from '../../src/data/grefcoco.js';
import { resizeLongestSide } from '../../src/data/image-transforms.js';
import { evaluationAnswer, evaluationQuestion, reasonEvaluationQuestion } from '../../src/data/prompts.js';
import { readReasonAnnotation, reasonMasks, referenceReasonMask } from '../../src/data/reason-annotation.js';
import { ReasonSeg } from '../../src/data/reason-seg.js';
import { RefCoco } from '../../src/data/refcoco.js';
import type { ReferDataset } from '../../src/data/refer-dataset.js';
import { RefZom } from '../../src/data/ref-zom.js';
import { Tokenizer } from '../../src/data/tokenizer.js';
import { readImage } from '../../src/io/image-file.js';
import { ADDED_TOKENS } from '../../src/special-tokens.js';
import type { BinaryMask } from '../../src/types.js';
import { fixture } from '../helpers/fixtures.js';

interface Entry {
  readonly image: string;
  readonly conversation: readonly [string];
  readonly input_ids: readonly [readonly number[]];
  readonly labels: readonly [readonly number[]];
  readonly resize: readonly [number, number];
  readonly masks: readonly { readonly size: readonly [number, number]; readonly counts: string }[];
  readonly areas: readonly number[];
}

/** One image as a reader of ours has it. */
interface Item {
  readonly path: string;
  readonly user: string;
  readonly assistant: string;
  readonly masks: readonly BinaryMask[];
}

const dataDir = fixture('datasets', 'data');
const expected = JSON.parse(readFileSync(fixture('datasets', 'expected_val.json'), 'utf8')) as Record<
  string,
  Record<string, readonly Entry[]>
>;
const tokenizer = Tokenizer.fromDirectory(fixture('tokenizer'));
tokenizer.addTokens(ADDED_TOKENS);

function referring(dataset: ReferDataset): Item[] {
  return dataset.images.map((image) => {
    const targets = dataset.targets(image);
    return {
      path: image.path,
      user: evaluationQuestion(targets.map((target) => target.expression)),
      assistant: evaluationAnswer(targets),
      masks: targets.map((target) => target.mask),
    };
  });
}

async function reasoning(dataset: ReasonSeg): Promise<Item[]> {
  return Promise.all(
    dataset.images.map(async ({ path, annotation: annotationPath }) => {
      const { height, width } = await readImage(path);
      const annotation = readReasonAnnotation(annotationPath);
      return {
        path,
        user: reasonEvaluationQuestion(annotation.texts[0] ?? '', annotation.isSentence),
        assistant: '[SEG]',
        masks: [referenceReasonMask(reasonMasks(annotation, height, width))],
      };
    }),
  );
}

const SPLITS: Readonly<Record<string, () => Item[] | Promise<Item[]>>> = {
  'grefcoco|unc|val': () => referring(GRefCoco.open(dataDir, 'val')),
  'grefcoco|unc|testA': () => referring(GRefCoco.open(dataDir, 'testA')),
  'grefcoco|unc|testB': () => referring(GRefCoco.open(dataDir, 'testB')),
  'refcoco|unc|val': () => referring(RefCoco.open(dataDir, 'refcoco', 'unc', 'val')),
  'refcoco|unc|testA': () => referring(RefCoco.open(dataDir, 'refcoco', 'unc', 'testA')),
  'refcoco+|unc|testB': () => referring(RefCoco.open(dataDir, 'refcoco+', 'unc', 'testB')),
  'refcocog|umd|val': () => referring(RefCoco.open(dataDir, 'refcocog', 'umd', 'val')),
  'refcocog|umd|test': () => referring(RefCoco.open(dataDir, 'refcocog', 'umd', 'test')),
  'refclef|unc|val': () => referring(RefCoco.open(dataDir, 'refclef', 'unc', 'val')),
  'refzom|final|test': () => referring(RefZom.open(dataDir, 'test')),
  'ReasonSeg|val': () => reasoning(ReasonSeg.open(dataDir, 'val')),
  'ReasonSeg|test': () => reasoning(ReasonSeg.open(dataDir, 'test')),
};

describe.each(Object.entries(expected))('%s', (style, splits) => {
  test('every recorded split is compared', () => {
    expect(Object.keys(splits).sort()).toEqual(Object.keys(SPLITS).sort());
  });

  test.each(Object.entries(splits))('%s', async (split, entries) => {
    const items = (await SPLITS[split]?.()) ?? [];
    const found = await Promise.all(
      items.map(async ({ path, user, assistant, masks }) => {
        const turn = { user, assistant };
        const { inputIds, labels } = tokenizeConversation(tokenizer, style as ConversationStyle, [turn]);
        const image = await readImage(path);
        const rles = masks.map(encodeMask);
        return {
          image: relative(dataDir, path).split(sep).join('/'),
          conversation: [renderConversation(style as ConversationStyle, [turn])],
          input_ids: [inputIds],
          labels: [labels],
          resize: resizeLongestSide(image.height, image.width, 1024),
          masks: rles.map((rle) => ({ size: rle.size, counts: rleToString(rle) })),
          areas: rles.map(rleArea),
        };
      }),
    );
    // `values` are the mask's values in the reference, always 0 and 1 in ours.
    expect(found).toEqual(
      entries.map(({ image, conversation, input_ids, labels, resize, masks, areas }) => {
        return { image, conversation, input_ids, labels, resize, masks, areas };
      }),
    );
  });
});
