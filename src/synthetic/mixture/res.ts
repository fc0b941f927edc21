/**
 * Classic referring segmentation in RefCOCO's layout: expressions about one object each, a pickle of records by object,
 * pictures in the folder that all of COCO's referring sets share.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../random.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { writeJson } from '../../io/json/json-file.js';
import { dict, list, type Picklable, pickle } from '../../io/torch/pickle-writer.js';
import { sceneExpressions } from '../expressions.js';
import { annotationOf, CATEGORIES, imageFileName } from '../records.js';
import type { Scene } from '../scene.js';
import type { MixturePart, SetWriter } from './set-writers.js';

/** Drawn for a scene; those about one object, a good half, are kept. */
const DRAWN = 14;
const IMAGES = join('refer_seg', 'images', 'mscoco', 'images', 'train2014');
/** Ids that gRefCOCO's part of the embedded benchmark does not have. */
const FIRST_IMAGE: Readonly<Record<MixturePart, number>> = { train: 11_000_000, val: 12_000_000 };
const SENTENCES_PER_IMAGE = 100;

export class ResWriter implements SetWriter {
  readonly scenes = { train: 'res', val: 'res-val' } as const;
  private readonly images: unknown[] = [];
  private readonly annotations: unknown[] = [];
  private readonly records: Picklable[] = [];

  constructor(private readonly root: string) {
    mkdirSync(join(root, IMAGES), { recursive: true });
    mkdirSync(join(root, 'refer_seg', 'refcoco'), { recursive: true });
  }

  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null {
    const single = sceneExpressions(scene, random, DRAWN).filter(({ objects }) => objects.length === 1);
    if (single.length === 0) return null;
    const imageId = FIRST_IMAGE[part] + index;
    const fileName = imageFileName(imageId);
    this.images.push({ id: imageId, file_name: fileName, height: scene.height, width: scene.width });
    const sentences = single.map(({ text, objects }, i) => {
      return { text, object: objects[0], id: imageId * SENTENCES_PER_IMAGE + i + 1 };
    });
    for (const object of scene.objects.keys()) {
      const annotation = annotationOf(scene, object, imageId);
      this.annotations.push(annotation);
      const own = sentences.filter((sentence) => sentence.object === object);
      if (own.length === 0) continue;
      this.records.push(
        dict({
          ref_id: annotation.id,
          ann_id: annotation.id,
          category_id: annotation.category_id,
          image_id: imageId,
          file_name: fileName.replace('.jpg', `_${annotation.id}.jpg`),
          split: part,
          sent_ids: list(own.map(({ id }) => id)),
          sentences: list(
            own.map(({ text, id }) => dict({ sent_id: id, sent: text, raw: text, tokens: list(text.split(' ')) })),
          ),
        }),
      );
    }
    return join(IMAGES, fileName);
  }

  finish(): void {
    const folder = join(this.root, 'refer_seg', 'refcoco');
    writeFileAtomic(join(folder, 'refs(unc).p'), [pickle(list(this.records))]);
    const { images, annotations } = this;
    writeJson(join(folder, 'instances.json'), { images, annotations, categories: CATEGORIES });
  }
}
