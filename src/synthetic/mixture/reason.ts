/** Reasoning segmentation in ReasonSeg's layout: beside each picture a JSON file with texts and the target's outline. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../random.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { impliedTarget } from '../implied-targets.js';
import type { Scene } from '../scene.js';
import { outline } from '../shapes.js';
import { jsonLinesList, type MixturePart, type SetWriter } from './set-writer.js';

const TEXTS_PER_IMAGE = 6;
/** Of the pictures to train on, so many have whole sentences for texts, and an explanation. */
const SENTENCE_SHARE = 0.5;
const EXPLAINED_SHARE = 0.3;
const ROOT = join('reason_seg', 'ReasonSeg');

export class ReasonWriter implements SetWriter {
  readonly name = 'reason_seg';
  readonly scenes = { train: 'reason', val: 'reason-val' } as const;
  private readonly explanations: unknown[] = [];

  constructor(private readonly root: string) {
    for (const folder of ['train', 'val', 'explanatory']) mkdirSync(join(root, ROOT, folder), { recursive: true });
  }

  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null {
    const target = impliedTarget(scene, random, TEXTS_PER_IMAGE);
    const object = target === null ? undefined : scene.objects[target.object];
    if (target === null || object === undefined) return null;
    const isSentence = random.uniform() < SENTENCE_SHARE;
    const text = target.texts.map((phrase) => (isSentence ? `Which is the ${phrase}?` : phrase));
    // A name is that of one picture, in whichever split, as in the published set.
    const stem = `${part === 'val' ? 'val_' : ''}${String(index).padStart(6, '0')}`;
    // Pixel i spans [i, i + 1) in a scene, and lies at i for OpenCV, which draws these.
    const points = outline(object).map(([x, y]) => [twoDecimals(x - 0.5), twoDecimals(y - 0.5)]);
    const annotation = { text, is_sentence: isSentence, shapes: [{ label: 'target', points }] };
    writeFileSync(join(this.root, ROOT, part, `${stem}.json`), `${JSON.stringify(annotation)}\n`);
    if (part === 'train' && random.uniform() < EXPLAINED_SHARE) {
      this.explanations.push({ image: `${stem}.jpg`, query: text[0], outputs: target.explanation });
    }
    return join(ROOT, part, `${stem}.jpg`);
  }

  finish(): void {
    writeFileAtomic(join(this.root, ROOT, 'explanatory', 'train.json'), jsonLinesList(this.explanations));
  }
}

function twoDecimals(value: number): number {
  return Math.round(value * 100) / 100;
}
