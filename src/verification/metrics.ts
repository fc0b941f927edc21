/**
 * Metrics against a recording: case.json has the answered ids and expected figures (`grefcoco`, `res`, `refzom` of the
 * reference, others by the file's definitions), predictions.safetensors the masks (N.gt, N.logits of image N).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, messageOf } from '../errors.js';
import { type Benchmark, GRES, REF_ZOM, RES } from '../evaluation/benchmarks/benchmarks.js';
import type { FigureValues } from '../evaluation/figures.js';
import type { Answer, GresProtocol } from '../evaluation/metrics/gres-score.js';
import { resultOf } from '../evaluation/records/record-figures.js';
import type { Result } from '../evaluation/records/record-types.js';
import { scoreExpression } from '../evaluation/score.js';
import type { MaskLogits } from '../inference/draw-masks.js';
import { binaryMask, segmentResult } from '../inference/segment-result.js';
import { readSafetensors } from '../io/safetensors/safetensors.js';
import type { StoredTensor } from '../io/safetensors/safetensors.js';
import { RECORDED_WORDS } from '../systems/recorded-words.js';
import type { BinaryMask } from '../types.js';
import { toleranceItem, type VerifyItem } from './verify-item.js';

const TOLERANCE = 1e-6;

type Figures = Record<string, Record<string, number | null>>;

interface RecordedImage {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly answers: readonly ('found' | 'absent')[];
}

/** An expression with its target and what was predicted for it. */
export interface Prediction {
  readonly expression?: string;
  readonly target: BinaryMask;
  readonly logits: MaskLogits;
  readonly answer: Answer;
}

interface RecordedCase {
  readonly images: readonly RecordedImage[];
  readonly expected: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** @throws UserError when a file is missing, malformed, or does not fit the other */
export function verifyMetrics(dir: string): Promise<VerifyItem[]> {
  // Nothing here waits, but all verifications share one signature; a thrown error becomes a rejection.
  return Promise.resolve().then(() => {
    const path = join(dir, 'case.json');
    const recorded = readCase(path);
    const computed = computeFigures(recorded.images, join(dir, 'predictions.safetensors'));
    for (const [group, figures] of recorded.expected) {
      for (const name of figures.keys()) {
        if (computed[group]?.[name] === undefined) {
          throw invalid(path, `expected.${group}.${name} is not a figure that this program computes`);
        }
      }
    }
    return Object.entries(computed).flatMap(([group, figures]) =>
      Object.entries(figures).map(([name, value]) => {
        const expected = recorded.expected.get(group)?.get(name);
        if (expected === undefined) throw invalid(path, `expected.${group}.${name} is missing`);
        return compare(`${group} ${name}`, value, expected);
      }),
    );
  });
}

function compare(item: string, value: number | null, expected: number): VerifyItem {
  const detail = `${value === null ? 'undefined' : value.toFixed(7)}, expected ${expected.toFixed(7)}`;
  return toleranceItem(item, value === null ? 1 : Math.abs(value - expected), TOLERANCE, detail);
}

/** Every figure by group and name as case.json has them, on the way that `gsva eval` goes. */
function computeFigures(images: readonly RecordedImage[], path: string): Figures {
  const predictions = [...readExpressions(images, path)];
  const by = (benchmark: Benchmark, protocol: GresProtocol): FigureValues =>
    resultOfPredictions(benchmark, protocol, predictions).figures;
  const pick = (values: FigureValues, ...names: string[]): Record<string, number | null> =>
    Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
  const reported = by(REF_ZOM, 'reference');
  return {
    grefcoco: { ...by(GRES, 'reference') },
    strict: { ...by(GRES, 'strict') },
    res: pick(by(RES, 'reference'), 'gIoU', 'cIoU'),
    refzom: { ...pick(reported, 'mIoU_as_reported', 'N_acc', 'T_acc'), oIoU_as_reported: reported['oIoU'] ?? null },
    refzom_paper: pick(by(REF_ZOM, 'strict'), 'mIoU', 'oIoU', 'Acc'),
    rec: pick(by(RES, 'strict'), 'Prec@0.5'),
  };
}

const STATUS = { found: 'segmented', absent: 'rejected', none: 'no-seg-token' } as const;

/** The figures of predictions, as a model would have given them. */
export function resultOfPredictions(
  benchmark: Benchmark,
  protocol: GresProtocol,
  predictions: readonly Prediction[],
): Result {
  const { logitRule } = benchmark;
  const rule = { rejectThreshold: null, minimumPixels: 0 };
  const scores = predictions.map(({ expression = '', target: mask, logits, answer }, index) => {
    const target = { expression, mask, isEmpty: !mask.data.includes(1) };
    const result = segmentResult(expression, STATUS[answer], logits, null, logitRule);
    const secondPassMask = binaryMask(logits, logitRule);
    return scoreExpression(benchmark, protocol, rule, { target, index }, { result, secondPassMask }).score;
  });
  return resultOf(benchmark, protocol, scores);
}

function* readExpressions(images: readonly RecordedImage[], path: string): Generator<Prediction> {
  const { tensors } = readSafetensors(path);
  if (tensors.size !== 2 * images.length) {
    throw invalid(
      path,
      `it holds ${tensors.size} tensors; case.json lists ${images.length} images of two tensors each`,
    );
  }
  for (const [index, image] of images.entries()) {
    const { height, width } = image;
    const target = tensorOf(tensors, `${index}.gt`, image, path).data;
    const logits = tensorOf(tensors, `${index}.logits`, image, path).data;
    if (!(target instanceof Uint8Array)) throw invalid(path, `${index}.gt is not stored as U8`);
    if (!(logits instanceof Float32Array)) throw invalid(path, `${index}.logits is not stored as F32`);
    if (target.some((value) => value > 1)) throw invalid(path, `${index}.gt holds values other than 0 and 1`);
    if (logits.some((value) => Number.isNaN(value))) throw invalid(path, `${index}.logits holds NaN`);
    for (const [i, answer] of image.answers.entries()) {
      const pixels: [number, number] = [i * height * width, (i + 1) * height * width];
      yield {
        logits: { data: logits.subarray(...pixels), height, width },
        target: { data: target.subarray(...pixels), height, width },
        answer,
      };
    }
  }
}

function tensorOf(tensors: Map<string, StoredTensor>, name: string, image: RecordedImage, path: string): StoredTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw invalid(path, `the tensor ${name} is missing`);
  const expected = [image.n, image.height, image.width].join(', ');
  const found = tensor.shape.join(', ');
  if (found !== expected) throw invalid(path, `${name} has the shape [${found}]; case.json says [${expected}]`);
  return tensor;
}

function readCase(path: string): RecordedCase {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw invalid(path, messageOf(error));
  }
  const root = objectAt(json, 'the whole', path);
  const foundId = integerAt(root, RECORDED_WORDS.found, '', path);
  const absentId = integerAt(root, RECORDED_WORDS.absent, '', path);
  if (!Array.isArray(root.samples)) throw invalid(path, 'samples is not a list');
  const images = root.samples.map((sample: unknown, index) => {
    const where = `samples[${index}]`;
    const entry = objectAt(sample, where, path);
    const n = integerAt(entry, 'n', where, path);
    if (!Array.isArray(entry.output_ids)) throw invalid(path, `${where}.output_ids is not a list`);
    const answers = entry.output_ids
      .filter((id: unknown) => id === foundId || id === absentId)
      .map((id: unknown) => (id === absentId ? ('absent' as const) : ('found' as const)));
    if (answers.length !== n) throw invalid(path, `${where} has ${n} expressions but ${answers.length} answers`);
    return {
      n,
      height: integerAt(entry, 'height', where, path),
      width: integerAt(entry, 'width', where, path),
      answers,
    };
  });
  const expected = new Map<string, Map<string, number>>();
  for (const [group, figures] of Object.entries(objectAt(root.expected, 'expected', path))) {
    const entries = Object.entries(objectAt(figures, `expected.${group}`, path)).map(([name, value]) => {
      if (typeof value !== 'number') throw invalid(path, `expected.${group}.${name} is not a number`);
      return [name, value] as const;
    });
    expected.set(group, new Map(entries));
  }
  return { images, expected };
}

function objectAt(value: unknown, where: string, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(path, `${where} is not an object`);
  }
  return { ...value };
}

function integerAt(entry: Record<string, unknown>, key: string, where: string, path: string): number {
  const value = entry[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw invalid(path, `${where === '' ? key : `${where}.${key}`} is not a positive whole number`);
  }
  return value;
}

function invalid(path: string, what: string): UserError {
  return new UserError(`Cannot verify with ${path}: ${what}. Fetch the recording again.`);
}
