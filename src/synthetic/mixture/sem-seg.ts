/**
 * Semantic segmentation in the layout of Mapillary Vistas v2.0, which includes the names of its classes: "red circle"
 * to "white bar"; the ground has no class.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeIndexPng } from '../../io/image/index-png.js';
import { writeJson } from '../../io/json/json-file.js';
import type { Scene } from '../scene.js';
import { COLOUR_RGB, COLOURS, SHAPES } from '../shapes.js';
import type { MixturePart, SetWriter } from './set-writer.js';

const NO_CLASS = 255;
const FOLDERS: Readonly<Record<MixturePart, string>> = { train: 'training', val: 'validation' };

export class SemSegWriter implements SetWriter {
  readonly scenes = { train: 'sem-seg', val: 'sem-seg-val' } as const;

  constructor(private readonly root: string) {
    for (const folder of Object.values(FOLDERS)) {
      mkdirSync(join(root, 'mapillary', folder, 'images'), { recursive: true });
      mkdirSync(join(root, 'mapillary', folder, 'v2.0', 'labels'), { recursive: true });
    }
  }

  add(scene: Scene, _random: unknown, part: MixturePart, index: number): string {
    const stem = `scene_${String(index).padStart(6, '0')}`;
    const folder = join('mapillary', FOLDERS[part]);
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
