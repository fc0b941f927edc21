/** Labels of every patch of F_V1's input: colour, shape and 8×8 grid cell of the object that covers most of it. */
import { centreShare } from '../../synthetic/expressions.js';
import { type Scene } from '../../synthetic/scene.js';
import { COLOURS, SHAPES } from '../../synthetic/shapes.js';
import { IGNORE_LABEL } from '../../special-tokens.js';

/** Questions about a patch, and the words that answer them. The first colour's word stands for the background. */
export const PATCH_WORDS = {
  colour: ['image', ...COLOURS],
  shape: SHAPES,
  column: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
  row: ['1', '2', '3', '4', '5', '6', '7', '8'],
} as const;
export type PatchQuestion = keyof typeof PATCH_WORDS;

export type PatchLabels = Readonly<Record<PatchQuestion, Int32Array>>;

/** Samples per patch side. */
const SAMPLES = 6;
/** An object names a patch that it covers at least this share of. */
const COVERED = 0.3;

/** @param side patches along a side @returns labels [side²] per question; on background only the colour is asked */
export function patchLabels(scene: Scene, side: number): PatchLabels {
  const labels = {
    colour: new Int32Array(side * side),
    shape: new Int32Array(side * side).fill(IGNORE_LABEL),
    column: new Int32Array(side * side).fill(IGNORE_LABEL),
    row: new Int32Array(side * side).fill(IGNORE_LABEL),
  };
  for (let patch = 0; patch < side * side; patch++) {
    const index = objectIn(scene, patch % side, Math.floor(patch / side), side);
    const object = scene.objects[index];
    if (object === undefined) continue;
    const [x, y] = centreShare(scene, index);
    labels.colour[patch] = 1 + COLOURS.indexOf(object.colour);
    labels.shape[patch] = SHAPES.indexOf(object.shape);
    labels.column[patch] = Math.min(7, Math.floor(8 * x));
    labels.row[patch] = Math.min(7, Math.floor(8 * y));
  }
  return labels;
}

/** The object that covers most of a patch of the centre crop, or -1. */
function objectIn(scene: Scene, column: number, row: number, side: number): number {
  const crop = Math.min(scene.width, scene.height); // CLIP sees the central square
  const left = (scene.width - crop) / 2;
  const top = (scene.height - crop) / 2;
  const counts = new Int32Array(scene.objects.length + 1);
  for (let i = 0; i < SAMPLES * SAMPLES; i++) {
    const x = left + (crop * (column + ((i % SAMPLES) + 0.5) / SAMPLES)) / side;
    const y = top + (crop * (row + (Math.floor(i / SAMPLES) + 0.5) / SAMPLES)) / side;
    const id = scene.instances[Math.floor(y) * scene.width + Math.floor(x)] ?? 0;
    counts[id] = (counts[id] ?? 0) + 1;
  }
  let best = 0;
  for (let id = 1; id < counts.length; id++) {
    if (best === 0 || (counts[id] ?? 0) > (counts[best] ?? 0)) best = id;
  }
  return (counts[best] ?? 0) >= COVERED * SAMPLES * SAMPLES ? best - 1 : -1;
}
