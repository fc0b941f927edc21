/**
 * Verifies LISA's validation metrics against a recording: case.json holds counts and figures of each picture and of all,
 * predictions.safetensors the logits and targets (kind.i.logits, kind.i.gt of picture i).
 */
import { join } from 'node:path';
import type { JsonPlace } from '../data/annotation-files.js';
import type { MaskOverlap } from '../evaluation/metrics/mask-overlap.js';
import { UserError } from '../errors.js';
import { readSafetensors, type StoredTensor } from '../io/safetensors/safetensors.js';
import { numbers, openRecorded } from './datasets-recorded.js';
import { LargestFigureError, recordedOverlap } from './mask-figures.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

const NAME = "LISA's recorded metrics";
const ADVICE = 'Use the recorded folder lisa-metrics.';

/** @throws UserError where a file is missing, malformed, or does not fit the other */
export function verifyLisaMetrics(dir: string): VerifyItem[] {
  const { tensors } = readSafetensors(join(dir, 'predictions.safetensors'));
  const kinds = openRecorded(NAME, dir, 'case.json', ADVICE).entries();
  return kinds.flatMap(([kind, recorded]) => verifyKind(kind, recorded, tensors));
}

function verifyKind(kind: string, recorded: JsonPlace, tensors: ReadonlyMap<string, StoredTensor>): VerifyItem[] {
  const counts = new Mismatches(`LISA, ${kind}: pixels`);
  const figures = new LargestFigureError(`LISA, ${kind}: gIoU and cIoU of each picture`);
  const all: MaskOverlap[] = [];
  for (const [i, picture] of recorded.key('pictures').array().entries()) {
    const overlaps = recordedOverlaps(`${kind}.${i}`, tensors);
    const compare = (key: string, found: (overlap: MaskOverlap) => number): void => {
      counts.compare(`${key} of picture ${i}`, overlaps.map(found), numbers(picture.key(key)));
    };
    compare('intersection', ({ intersection }) => intersection);
    compare('union', ({ union }) => union);
    compare('target', ({ targetArea }) => targetArea);
    figures.compare(`picture ${i}`, overlaps, picture);
    all.push(...overlaps);
  }
  const total = new LargestFigureError(`LISA, ${kind}: gIoU and cIoU`);
  total.compare('all pictures', all, recorded);
  return itemsOf(counts, figures, total);
}

function recordedOverlaps(name: string, tensors: ReadonlyMap<string, StoredTensor>): MaskOverlap[] {
  const [targets, logits] = [tensors.get(`${name}.gt`), tensors.get(`${name}.logits`)];
  const [count = 0, height = 0, width = 0] = targets?.shape ?? [];
  if (!(targets?.data instanceof Uint8Array) || !(logits?.data instanceof Float32Array)) {
    throw new UserError(`Reading ${NAME}: ${name}.gt (U8) or ${name}.logits (F32) is missing. ${ADVICE}`);
  }
  const [targetData, logitData] = [targets.data, logits.data];
  if (targetData.length !== logitData.length) {
    throw new UserError(`Reading ${NAME}: ${name}.gt and ${name}.logits differ in size. ${ADVICE}`);
  }
  return Array.from({ length: count }, (_, i) => {
    const part = [i * height * width, (i + 1) * height * width] as const;
    return recordedOverlap(targetData.subarray(...part), { data: logitData.subarray(...part), height, width });
  });
}
