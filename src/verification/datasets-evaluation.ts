/** expected_val.json: what the reference makes of each image of an evaluation split, in both conversation styles. */
import { encodeMask, rleArea } from '../data/masks/coco-mask.js';
import { GRefCoco } from '../data/refer/grefcoco.js';
import { resizeLongestSide } from '../data/image/image-transforms.js';
import { evaluationAnswer, evaluationQuestion, reasonEvaluationQuestion } from '../data/text/prompts.js';
import { readReasonAnnotation, reasonMasks, referenceReasonMask } from '../data/reason/reason-annotation.js';
import { ReasonSeg, type ReasonSegSplit } from '../data/reason/reason-seg.js';
import { RefCoco } from '../data/refer/refcoco.js';
import type { ReferDataset } from '../data/refer/refer-dataset.js';
import type { JsonPlace } from '../data/annotation-files.js';
import { RefZom } from '../data/refer/ref-zom.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { readImageSize } from '../io/image-file.js';
import { SEG_TOKEN } from '../special-tokens.js';
import type { BinaryMask } from '../types.js';
import { compareMasks, ConversationMismatches, numbers, RECORDED_STYLES, recordedPath } from './datasets-recorded.js';
import { Mismatches } from './mismatches.js';
import type { VerifyItem } from './verify-item.js';

/** F_V2's side in the recording. */
const IMAGE_SIZE = 1024;

/** An image as it is evaluated. */
interface EvaluatedImage {
  readonly path: string;
  readonly height: number;
  readonly width: number;
  readonly user: string;
  readonly assistant: string;
  readonly masks: readonly BinaryMask[];
}

type OpenSplit = (dataDir: string) => EvaluatedImage[] | Promise<EvaluatedImage[]>;

/** By the recording's names: set, who divided it, split. */
const SPLITS: Readonly<Record<string, OpenSplit>> = {
  'grefcoco|unc|val': (dir) => referring(GRefCoco.open(dir, 'val')),
  'grefcoco|unc|testA': (dir) => referring(GRefCoco.open(dir, 'testA')),
  'grefcoco|unc|testB': (dir) => referring(GRefCoco.open(dir, 'testB')),
  'refcoco|unc|val': (dir) => referring(RefCoco.open(dir, 'refcoco', 'unc', 'val')),
  'refcoco|unc|testA': (dir) => referring(RefCoco.open(dir, 'refcoco', 'unc', 'testA')),
  'refcoco+|unc|testB': (dir) => referring(RefCoco.open(dir, 'refcoco+', 'unc', 'testB')),
  'refcocog|umd|val': (dir) => referring(RefCoco.open(dir, 'refcocog', 'umd', 'val')),
  'refcocog|umd|test': (dir) => referring(RefCoco.open(dir, 'refcocog', 'umd', 'test')),
  'refclef|unc|val': (dir) => referring(RefCoco.open(dir, 'refclef', 'unc', 'val')),
  'refzom|final|test': (dir) => referring(RefZom.open(dir, 'test')),
  'ReasonSeg|val': (dir) => reasoning(dir, 'val'),
  'ReasonSeg|test': (dir) => reasoning(dir, 'test'),
};

/** @throws UserError where a split or a file is missing */
export async function verifyEvaluation(
  expected: JsonPlace,
  dataDir: string,
  tokenizer: Tokenizer,
): Promise<VerifyItem[]> {
  const items: VerifyItem[] = [];
  for (const [name, open] of Object.entries(SPLITS)) {
    const images = await open(dataDir);
    for (const style of RECORDED_STYLES) {
      const conversations = new ConversationMismatches(name, style, tokenizer);
      items.push(...verifySplit(name, style, images, expected.key(style).key(name), dataDir, conversations));
    }
  }
  return items;
}

function verifySplit(
  name: string,
  style: string,
  images: readonly EvaluatedImage[],
  expected: JsonPlace,
  dataDir: string,
  conversations: ConversationMismatches,
): VerifyItem[] {
  const title = `${name}, ${style}`;
  const sizes = new Mismatches(`${title}: images and sizes`);
  const masks = new Mismatches(`${title}: mask pixels`);
  const areas = new Mismatches(`${title}: mask areas`);
  const entries = expected.list();
  sizes.compare('number of images', images.length, entries.length);
  for (const [i, entry] of entries.entries()) {
    const path = entry.key('image').text();
    const image = images[i];
    if (image === undefined) continue;
    sizes.compare(`image ${i}`, recordedPath(dataDir, image.path), path);
    const resized = resizeLongestSide(image.height, image.width, IMAGE_SIZE).join(' × ');
    sizes.compare(`size of ${path}`, resized, numbers(entry.key('resize')).join(' × '));
    conversations.compare(path, [{ user: image.user, assistant: image.assistant }], entry);
    compareMasks(masks, path, image.masks, entry.key('masks'));
    const found = image.masks.map((mask) => rleArea(encodeMask(mask))).join(' ');
    areas.compare(path, found, numbers(entry.key('areas')).join(' '));
  }
  return [sizes.item(), ...conversations.items(), masks.item(), areas.item()];
}

function referring(dataset: ReferDataset): EvaluatedImage[] {
  return dataset.images.map((image) => {
    const targets = dataset.targets(image);
    return {
      path: image.path,
      height: image.height,
      width: image.width,
      user: evaluationQuestion(targets.map((target) => target.expression)),
      assistant: evaluationAnswer(targets),
      masks: targets.map((target) => target.mask),
    };
  });
}

async function reasoning(dataDir: string, split: ReasonSegSplit): Promise<EvaluatedImage[]> {
  return Promise.all(
    ReasonSeg.open(dataDir, split).images.map(async ({ path, annotation: file }) => {
      const { height, width } = await readImageSize(path);
      const annotation = readReasonAnnotation(file);
      const user = reasonEvaluationQuestion(annotation.texts[0] ?? '', annotation.isSentence);
      const masks = [referenceReasonMask(reasonMasks(annotation, height, width))];
      return { path, height, width, user, assistant: SEG_TOKEN, masks };
    }),
  );
}
