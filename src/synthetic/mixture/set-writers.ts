/** Sets of the synthetic mixture while they are written: scene after scene, then what stands in lists. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { encodeIndexPng } from '../../io/image/index-png.js';
import { writeJson } from '../../io/json/json-file.js';
import { dict, list, type Picklable, pickle } from '../../io/torch/pickle-writer.js';
import type { Random } from '../../random.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import { sceneExpressions } from '../expressions.js';
import { annotationOf, CATEGORIES, imageFileName } from '../records.js';
import { sceneQuestions } from '../scene-questions.js';
import type { Scene, SynthSplit } from '../scene.js';
import { COLOUR_RGB, COLOURS, SHAPES } from '../shapes.js';

/** Parts for training, and held out for measuring. */
export const MIXTURE_PARTS = ['train', 'val'] as const;
export type MixturePart = (typeof MIXTURE_PARTS)[number];

export interface SetWriter {
  /** Splits of its scenes: no two sets share one. */
  readonly scenes: Readonly<Record<MixturePart, SynthSplit>>;
  /**
   * Adds a scene.
   * @param random source of all other draws about it
   * @returns place of its picture below the data folder; null where the scene offers nothing to ask about
   */
  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null;
  /** Writes the lists of all scenes that were added. */
  finish(): void;
}

/** A list as JSON, a record to a line. */
export function jsonLinesList(records: readonly unknown[]): Uint8Array[] {
  return [Buffer.from(`[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]\n`, 'utf8')];
}

const NO_CLASS = 255;
const MAPILLARY_SPLITS: Readonly<Record<MixturePart, string>> = { train: 'training', val: 'validation' };

/**
 * Semantic segmentation in the layout of Mapillary Vistas v2.0, which includes the names of its classes: "red circle"
 * to "white bar"; the ground has no class.
 */
export class SemSegWriter implements SetWriter {
  readonly scenes = { train: 'sem-seg', val: 'sem-seg-val' } as const;

  constructor(private readonly root: string) {
    for (const folder of Object.values(MAPILLARY_SPLITS)) {
      mkdirSync(join(root, 'mapillary', folder, 'images'), { recursive: true });
      mkdirSync(join(root, 'mapillary', folder, 'v2.0', 'labels'), { recursive: true });
    }
  }

  add(scene: Scene, _random: unknown, part: MixturePart, index: number): string {
    const stem = `scene_${String(index).padStart(6, '0')}`;
    const folder = join('mapillary', MAPILLARY_SPLITS[part]);
    const { height, width } = scene;
    const map = encodeIndexPng({ data: classesOf(scene), height, width });
    writeFileSync(join(this.root, folder, 'v2.0', 'labels', `${stem}.png`), map);
    return join(folder, 'images', `${stem}.jpg`);
  }

  finish(): void {
    const labels = COLOURS.flatMap((colour) =>
      SHAPES.map((shape) => ({
        name: `object--${colour}-${shape}`,
        readable: `${capital(colour)} ${capital(shape)}`,
        color: COLOUR_RGB[colour],
      })),
    );
    writeJson(join(this.root, 'mapillary', 'config_v2.0.json'), { version: '2.0', labels });
  }
}

/** Class numbers per pixel: colour · 4 + shape. */
function classesOf({ instances, objects }: Scene): Uint8Array {
  const classes = objects.map(({ colour, shape }) => COLOURS.indexOf(colour) * SHAPES.length + SHAPES.indexOf(shape));
  return instances.map((id) => (id === 0 ? NO_CLASS : (classes[id - 1] as number)));
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

const QUESTIONS_PER_IMAGE = 6;
const COCO_FOLDERS: Readonly<Record<MixturePart, string>> = { train: 'train2017', val: 'val2017' };

/**
 * Visual question answering in the layout of LLaVA-Instruct-150K: a conversation for each picture. The held-out part is
 * a list of questions with one-word answers (`readVqaQuestions`).
 */
export class VqaWriter implements SetWriter {
  readonly scenes = { train: 'vqa', val: 'vqa-val' } as const;
  private readonly conversations: unknown[] = [];
  private readonly questions: unknown[] = [];

  constructor(private readonly root: string) {
    for (const folder of Object.values(COCO_FOLDERS)) mkdirSync(join(root, 'coco', folder), { recursive: true });
    mkdirSync(join(root, 'llava_dataset'), { recursive: true });
  }

  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null {
    const asked = sceneQuestions(scene, random, QUESTIONS_PER_IMAGE);
    if (asked.length === 0) return null;
    const id = String(index).padStart(12, '0');
    const image = `${id}.jpg`;
    if (part === 'train') {
      const conversations = asked.flatMap(({ question, answer }, i) => [
        { from: 'human', value: i === 0 ? `${IMAGE_PLACEHOLDER}\n${question}` : question },
        { from: 'gpt', value: answer },
      ]);
      this.conversations.push({ id, image, conversations });
    } else {
      for (const { kind, question, answer } of asked) {
        this.questions.push({ question_id: this.questions.length, image, text: question, answer, category: kind });
      }
    }
    return join('coco', COCO_FOLDERS[part], image);
  }

  finish(): void {
    const folder = join(this.root, 'llava_dataset');
    writeFileAtomic(join(folder, 'llava_instruct_150k.json'), jsonLinesList(this.conversations));
    writeFileAtomic(join(folder, 'questions_val.json'), jsonLinesList(this.questions));
  }
}

/** Drawn for a scene; those about one object, a good half, are kept. */
const DRAWN = 14;
const IMAGES = join('refer_seg', 'images', 'mscoco', 'images', 'train2014');
/** Ids that gRefCOCO's part of the embedded benchmark does not have. */
const FIRST_IMAGE: Readonly<Record<MixturePart, number>> = { train: 11_000_000, val: 12_000_000 };
const SENTENCES_PER_IMAGE = 100;

/**
 * Classic referring segmentation in RefCOCO's layout: expressions about one object each, a pickle of records by object,
 * pictures in the folder that all of COCO's referring sets share.
 */
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
