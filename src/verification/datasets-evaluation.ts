/** expected_val.json: what the reference makes of each image of an evaluation split, in both conversation styles. */
import { encodeMask, rleArea } from '../data/masks/coco-mask.js';
import { openEvaluatedSet } from '../data/dataset-registry.js';
import { resizeLongestSide } from '../data/image/image-transforms.js';
import type { JsonPlace } from '../data/annotation-files.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import { divide } from '../evaluation/conversations.js';
import { formOfProtocol, OWN_FORMS } from '../evaluation/metrics/gres-score.js';
import { GsvaDialogue } from '../systems/gsva/dialogue.js';
import type { BinaryMask } from '../types.js';
import { GSVA_VARIANT } from '../systems/shared/variant.js';
import { compareMasks, ConversationMismatches, numbers, RECORDED_STYLES, recordedPath } from './datasets-recorded.js';
import { Mismatches, type VerifyItem } from './verify-item.js';

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

/** By the recording's names (set, who divided it, split): the registry's name and split. */
const SPLITS: Readonly<Record<string, readonly [name: string, split: string]>> = {
  'grefcoco|unc|val': ['grefcoco', 'val'],
  'grefcoco|unc|testA': ['grefcoco', 'testA'],
  'grefcoco|unc|testB': ['grefcoco', 'testB'],
  'refcoco|unc|val': ['refcoco', 'val'],
  'refcoco|unc|testA': ['refcoco', 'testA'],
  'refcoco+|unc|testB': ['refcoco+', 'testB'],
  'refcocog|umd|val': ['refcocog', 'val'],
  'refcocog|umd|test': ['refcocog', 'test'],
  'refclef|unc|val': ['refclef', 'val'],
  'refzom|final|test': ['refzom', 'test'],
  'ReasonSeg|val': ['reason_seg', 'val'],
  'ReasonSeg|test': ['reason_seg', 'test'],
};

/** @throws UserError where a split or a file is missing */
export async function verifyEvaluation(
  expected: JsonPlace,
  dataDir: string,
  tokenizer: Tokenizer,
): Promise<VerifyItem[]> {
  const items: VerifyItem[] = [];
  for (const [name, [set, split]] of Object.entries(SPLITS)) {
    const images = await imagesOf(set, dataDir, split);
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

/** The recorded questions are GSVA's. */
const DIALOGUE = new GsvaDialogue(GSVA_VARIANT);

/** As `evaluate` asks: the questions of these splits are about all expressions of an image. */
async function imagesOf(name: string, dataDir: string, split: string): Promise<EvaluatedImage[]> {
  const dataset = await openEvaluatedSet(name, dataDir, split, { honourIgnore: false });
  return dataset.images.map((image) => {
    const targets = dataset.targets(image);
    const { conversations } = divide(targets, OWN_FORMS, {
      asksAlone: (form) => DIALOGUE.asksAlone(form),
      refuse: () => null,
    });
    const [turn] = DIALOGUE.exam(
      targets.map(({ expression }) => expression),
      targets.map(({ isEmpty }) => (isEmpty ? 'absent' : 'found')),
      formOfProtocol('reference', conversations[0]?.form ?? OWN_FORMS),
    );
    return {
      path: image.path,
      height: image.height,
      width: image.width,
      user: turn?.turn.user ?? '',
      assistant: turn?.turn.assistant ?? '',
      masks: targets.map((target) => target.mask),
    };
  });
}
