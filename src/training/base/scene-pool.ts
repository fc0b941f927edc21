/** Scenes of the embedded benchmark's `base` split, made and rendered when first asked for and kept as small images. */
import { renderScene } from '../../synthetic/render.js';
import { type Scene, synthScene } from '../../synthetic/scene.js';
import type { RgbImage } from '../../types.js';

export interface PooledScene {
  readonly scene: Scene;
  readonly image: RgbImage;
}

export class ScenePool {
  private readonly scenes = new Map<number, PooledScene>();

  /** @param seed of the benchmark; its `base` split shares no image with the others */
  constructor(private readonly seed: number) {}

  get(index: number): PooledScene {
    const known = this.scenes.get(index);
    if (known !== undefined) return known;
    const scene = synthScene(this.seed, 'base', index);
    const made = { scene, image: renderScene(scene) };
    this.scenes.set(index, made);
    return made;
  }
}
