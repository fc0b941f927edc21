/**
 * Verifies SELF1E's validation metrics against a recording: predictions.safetensors holds targets and logits of each
 * picture (i.gt, i.logits), the logits at a lower resolution; case.json intersections, unions and figures of each picture
 * and of all.
 */
import { join } from 'node:path';
import type { JsonPlace } from '../data/annotation-files.js';
import type { MaskOverlap } from '../evaluation/metrics/mask-overlap.js';
import { UserError } from '../errors.js';
import type { MaskLogits } from '../inference/draw-masks.js';
import { readSafetensors, type StoredTensor } from '../io/safetensors/safetensors.js';
import { bilinearMatrix } from '../nn/bilinear.js';
import { openRecorded } from './datasets-recorded.js';
import { LargestFigureError, recordedOverlap } from './mask-figures.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

const NAME = "SELF1E's recorded metrics";
const ADVICE = 'Use the recorded folder self1e-metrics.';

/** @throws UserError where a file is missing, malformed, or does not fit the other */
export function verifySelf1eMetrics(dir: string): VerifyItem[] {
  const { tensors } = readSafetensors(join(dir, 'predictions.safetensors'));
  const root = openRecorded(NAME, dir, 'case.json', ADVICE);
  const counts = new Mismatches('SELF1E: intersections and unions');
  const figures = new LargestFigureError('SELF1E: gIoU and cIoU of each picture');
  const all: MaskOverlap[] = [];
  const pictures = root.key('each').array();
  if (tensors.size !== 2 * pictures.length) {
    const found = `holds ${tensors.size} tensors, case.json lists ${pictures.length} pictures of two`;
    throw new UserError(`Reading ${NAME}: predictions.safetensors ${found}. ${ADVICE}`);
  }
  for (const [i, picture] of pictures.entries()) {
    const overlaps = overlapsOf(i, tensors);
    counts.compare(`picture ${i}`, pairs(overlaps), recordedPairs(picture));
    figures.compare(`picture ${i}`, overlaps, picture);
    all.push(...overlaps);
  }
  const whole = root.key('all');
  counts.compare('all pictures', pairs(all), recordedPairs(whole));
  const total = new LargestFigureError('SELF1E: gIoU and cIoU');
  total.compare('all pictures', all, whole);
  return itemsOf(counts, figures, total);
}

function pairs(overlaps: readonly MaskOverlap[]): number[] {
  return overlaps.flatMap(({ intersection, union }) => [intersection, union]);
}

function recordedPairs(place: JsonPlace): number[] {
  const masks = place.key('intersection_union').array();
  return masks.flatMap((mask) => mask.numbers());
}

/** Masks of a picture: its logits [n, h, w] enlarged to the targets' size [n, H, W]. */
function overlapsOf(picture: number, tensors: ReadonlyMap<string, StoredTensor>): MaskOverlap[] {
  const [targets, logits] = [tensors.get(`${picture}.gt`), tensors.get(`${picture}.logits`)];
  if (!(targets?.data instanceof Uint8Array) || !(logits?.data instanceof Float32Array)) {
    throw new UserError(`Reading ${NAME}: ${picture}.gt (U8) or ${picture}.logits (F32) is missing. ${ADVICE}`);
  }
  const [count = 0, height = 0, width = 0] = targets.shape;
  const [other = 0, lowHeight = 0, lowWidth = 0] = logits.shape;
  if (targets.shape.length !== 3 || logits.shape.length !== 3 || count !== other) {
    throw new UserError(`Reading ${NAME}: ${picture}.gt and ${picture}.logits are not of as many masks. ${ADVICE}`);
  }
  const [targetData, logitData] = [targets.data, logits.data];
  return Array.from({ length: count }, (_, i) => {
    const low = logitData.subarray(i * lowHeight * lowWidth, (i + 1) * lowHeight * lowWidth);
    const target = targetData.subarray(i * height * width, (i + 1) * height * width);
    const enlarged = enlarge({ data: low, height: lowHeight, width: lowWidth }, height, width);
    return recordedOverlap(target, enlarged);
  });
}

/** Logits at another size, bilinearly: rows · logits · columnsᵀ. */
function enlarge(low: MaskLogits, height: number, width: number): MaskLogits {
  const rows = bilinearMatrix(low.height, height);
  const columns = bilinearMatrix(low.width, width);
  const data = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    const row = weighted(rows.subarray(y * low.height, (y + 1) * low.height), low);
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let j = 0; j < low.width; j++) sum += (columns[x * low.width + j] as number) * (row[j] as number);
      data[y * width + x] = sum;
    }
  }
  return { data, height, width };
}

/** Sum of the rows of logits, each with its weight. */
function weighted(weights: Float32Array, { data, height, width }: MaskLogits): Float64Array {
  const sum = new Float64Array(width);
  for (let i = 0; i < height; i++) {
    const weight = weights[i] as number;
    if (weight === 0) continue;
    for (let j = 0; j < width; j++) sum[j] = (sum[j] as number) + weight * (data[i * width + j] as number);
  }
  return sum;
}
