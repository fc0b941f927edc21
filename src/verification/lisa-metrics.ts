/**
 * Verifies LISA's validation metrics against a recording: case.json holds counts and figures of each picture and of all,
 * predictions.safetensors the logits and targets (kind.i.logits, kind.i.gt of picture i). In a target 1 is inside, 255
 * ignored, and any other value outside: the reference adds polygons that overlap, so that pixels of both are 2.
 */
import { join } from 'node:path';
import type { JsonPlace } from '../data/annotation-files.js';
import { lisaFigures } from '../evaluation/figures.js';
import { type MaskOverlap, maskOverlap } from '../evaluation/metrics/mask-overlap.js';
import { UserError } from '../errors.js';
import { binaryMask } from '../inference/segment-result.js';
import { readSafetensors, type StoredTensor } from '../io/safetensors/safetensors.js';
import type { BinaryMask } from '../types.js';
import { numbers, openRecorded } from './datasets-recorded.js';
import { itemsOf, Mismatches, type VerifyItem } from './verify-item.js';

const NAME = "LISA's recorded metrics";
const ADVICE = 'Use the recorded folder lisa-metrics.';
const TOLERANCE = 1e-6;
const IGNORED = 255;

/** @throws UserError where a file is missing, malformed, or does not fit the other */
export function verifyLisaMetrics(dir: string): VerifyItem[] {
  const { tensors } = readSafetensors(join(dir, 'predictions.safetensors'));
  const kinds = openRecorded(NAME, dir, 'case.json', ADVICE).entries();
  return kinds.flatMap(([kind, recorded]) => verifyKind(kind, recorded, tensors));
}

function verifyKind(kind: string, recorded: JsonPlace, tensors: ReadonlyMap<string, StoredTensor>): VerifyItem[] {
  const counts = new Mismatches(`LISA, ${kind}: pixels`);
  const figures = new LargestError(`LISA, ${kind}: gIoU and cIoU of each picture`);
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
  const total = new LargestError(`LISA, ${kind}: gIoU and cIoU`);
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
    const values = targetData.subarray(...part);
    const where = (value: number): BinaryMask => {
      return { data: values.map((found) => Number(found === value)), height, width };
    };
    const prediction = binaryMask({ data: logitData.subarray(...part), height, width }, 'logit > 0');
    return maskOverlap(prediction, where(1), where(IGNORED));
  });
}

/** Largest difference between computed and recorded figures. */
class LargestError {
  private largest = 0;
  private detail = '';

  constructor(private readonly name: string) {}

  compare(what: string, overlaps: readonly MaskOverlap[], recorded: JsonPlace): void {
    for (const [figure, value] of Object.entries(lisaFigures(overlaps))) {
      const key = figure.toLowerCase();
      const found = value ?? NaN;
      const expected = recorded.key(key).number();
      const error = Math.abs(found - expected);
      if (error < this.largest && this.detail !== '') continue;
      this.largest = error;
      this.detail = `${key} of ${what}: ${found.toFixed(7)}, expected ${expected.toFixed(7)}`;
    }
  }

  item(): VerifyItem {
    const pass = this.detail !== '' && this.largest <= TOLERANCE;
    return { item: this.name, largestError: this.largest, tolerance: TOLERANCE, pass, detail: this.detail };
  }
}
