/**
 * Metrics against a recording: case.json has the answered ids and expected figures (`grefcoco`, `res`, `refzom` of the
 * reference, others by the file's definitions), predictions.safetensors the masks (N.gt, N.logits of image N).
 */
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { type Benchmark, GRES, REF_ZOM, RES } from '../evaluation/benchmarks/benchmarks.js';
import type { FigureValues } from '../evaluation/figures.js';
import type { Answer, GresProtocol } from '../evaluation/metrics/gres-score.js';
import { resultOf } from '../evaluation/records/record-figures.js';
import { scoreExpression } from '../evaluation/score.js';
import type { MaskLogits } from '../inference/draw-masks.js';
import { binaryMask, segmentResult } from '../inference/segment-result.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { readSafetensors, type StoredTensor } from '../io/safetensors/safetensors.js';
import { RECORDED_WORDS } from '../systems/recorded-words.js';
import type { BinaryMask } from '../types.js';
import { toleranceItem, type VerifyItem } from './verify-item.js';

const TOLERANCE = 1e-6;

type Figures = Record<string, Record<string, number | null>>;

/** An image with an answer for each of its expressions. */
interface RecordedImage {
  readonly height: number;
  readonly width: number;
  readonly answers: readonly Answer[];
}

/** An expression with its target and what was predicted for it. */
export interface Prediction {
  readonly expression?: string;
  readonly target: BinaryMask;
  readonly logits: MaskLogits;
  readonly answer: Answer;
}

/** @throws UserError when a file is missing, malformed, or does not fit the other */
export function verifyMetrics(dir: string): VerifyItem[] {
  const path = join(dir, 'case.json');
  const root = JsonReader.of(readJson(path, 'the recorded figures'), path);
  const computed = computeFigures(readImages(root, path), join(dir, 'predictions.safetensors'));
  const expected = root.key('expected');
  for (const [group, figures] of expected.entries()) {
    for (const [name] of figures.entries()) {
      if (computed[group]?.[name] !== undefined) continue;
      throw invalid(path, `expected.${group}.${name} is not a figure that this program computes`);
    }
  }
  return Object.entries(computed).flatMap(([group, figures]) =>
    Object.entries(figures).map(([name, value]) => {
      const recorded = expected.key(group).key(name).number();
      const detail = `${value === null ? 'undefined' : value.toFixed(7)}, expected ${recorded.toFixed(7)}`;
      return toleranceItem(`${group} ${name}`, value === null ? 1 : Math.abs(value - recorded), TOLERANCE, detail);
    }),
  );
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
export function resultOfPredictions(benchmark: Benchmark, protocol: GresProtocol, predictions: readonly Prediction[]) {
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
    const listed = `case.json lists ${images.length} images of two tensors each`;
    throw invalid(path, `it holds ${tensors.size} tensors; ${listed}`);
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
  const expected = [image.answers.length, image.height, image.width].join(', ');
  const found = tensor.shape.join(', ');
  if (found !== expected) throw invalid(path, `${name} has the shape [${found}]; case.json says [${expected}]`);
  return tensor;
}

function readImages(root: JsonReader, path: string): RecordedImage[] {
  const positive = (place: JsonReader, key: string): number => place.key(key).integer({ min: 1 });
  const [foundId, absentId] = [positive(root, RECORDED_WORDS.found), positive(root, RECORDED_WORDS.absent)];
  return root
    .key('samples')
    .array()
    .map((sample, index) => {
      const n = positive(sample, 'n');
      const ids = sample.key('output_ids').numbers();
      const decisions = ids.filter((id) => id === foundId || id === absentId);
      const answers = decisions.map((id) => (id === absentId ? 'absent' : 'found'));
      if (answers.length === n)
        return { height: positive(sample, 'height'), width: positive(sample, 'width'), answers };
      throw invalid(path, `samples[${index}] has ${n} expressions but ${answers.length} answers`);
    });
}

function invalid(path: string, what: string): UserError {
  return new UserError(`Cannot verify with ${path}: ${what}. Fetch the recording again.`);
}
