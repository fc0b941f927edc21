/** Sets of the synthetic mixture while they are written: scene after scene, then what stands in lists. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { encodeIndexPng } from '../../io/image/index-png.js';
import { writeJson } from '../../io/json/json-file.js';
import type { Random } from '../../random.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
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
