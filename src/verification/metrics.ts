/**
 * Verifies the evaluation metrics against a recording: case.json holds the token ids answered for each image and the
 * expected figures (`grefcoco`, `res`, `refzom`: computed by the reference itself; `strict`, `refzom_paper`, `rec`: by
 * the definitions stated in the file), predictions.safetensors the masks (N.gt, N.logits of image N).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError, messageOf } from '../errors.js';
import { GresMetric } from '../evaluation/metrics/gres-metric.js';
import type { GresPrediction } from '../evaluation/metrics/gres-metric.js';
import { RecMetric } from '../evaluation/metrics/rec-metric.js';
import { RefZomMetric, RefZomReportedMetric } from '../evaluation/metrics/ref-zom-metric.js';
import { ResMetric } from '../evaluation/metrics/res-metric.js';
import { readSafetensors } from '../io/safetensors.js';
import type { StoredTensor } from '../io/safetensors.js';
import type { VerifyItem } from './verify-item.js';

const TOLERANCE = 1e-6;

type Figures = Record<string, Record<string, number | null>>;

interface RecordedImage {
  readonly n: number;
  readonly height: number;
  readonly width: number;
  readonly answers: readonly ('seg' | 'rej')[];
}

interface RecordedCase {
  readonly images: readonly RecordedImage[];
  readonly expected: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/**
 * Compares every figure of the recording in `dir`.
 * @throws UserError when a file is missing, malformed, or does not fit the other.
 */
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
  const largestError = value === null ? 1 : Math.abs(value - expected);
  const detail = `${value === null ? 'undefined' : value.toFixed(7)}, expected ${expected.toFixed(7)}`;
  return { item, largestError, tolerance: TOLERANCE, pass: largestError <= TOLERANCE, detail };
}

/** Every figure by group and name as case.json has them. */
function computeFigures(images: readonly RecordedImage[], path: string): Figures {
  const gres = new GresMetric('reference');
  const strict = new GresMetric('strict');
  const res = new ResMetric();
  const reported = new RefZomReportedMetric();
  const paper = new RefZomMetric();
  const rec = new RecMetric();
  for (const expression of readExpressions(images, path)) {
    for (const metric of [gres, strict, reported, paper, rec]) metric.add(expression);
    res.add(expression.prediction, expression.target);
  }
  const reference = gres.result();
  const strictly = strict.result();
  const plain = res.result();
  const zom = reported.result();
  const zomPaper = paper.result();
  return {
    grefcoco: { gIoU: reference.gIoU, cIoU: reference.cIoU, N_acc: reference.N_acc, T_acc: reference.T_acc },
    strict: { gIoU: strictly.gIoU, cIoU: strictly.cIoU, N_acc: strictly.N_acc, T_acc: strictly.T_acc },
    res: { gIoU: plain.gIoU, cIoU: plain.cIoU },
    refzom: { mIoU_as_reported: zom.mIoU, oIoU_as_reported: zom.oIoU, N_acc: zom.N_acc, T_acc: zom.T_acc },
    refzom_paper: { mIoU: zomPaper.mIoU, oIoU: zomPaper.oIoU, Acc: zomPaper.Acc },
    rec: { 'Prec@0.5': rec.result().precision },
  };
}

function* readExpressions(images: readonly RecordedImage[], path: string): Generator<GresPrediction> {
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
        prediction: { data: logits.subarray(...pixels), height, width },
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
  const seg = integerAt(root, 'seg', '', path);
  const rej = integerAt(root, 'rej', '', path);
  if (!Array.isArray(root.samples)) throw invalid(path, 'samples is not a list');
  const images = root.samples.map((sample: unknown, index) => {
    const where = `samples[${index}]`;
    const entry = objectAt(sample, where, path);
    const n = integerAt(entry, 'n', where, path);
    if (!Array.isArray(entry.output_ids)) throw invalid(path, `${where}.output_ids is not a list`);
    const answers = entry.output_ids
      .filter((id: unknown) => id === seg || id === rej)
      .map((id: unknown) => (id === rej ? ('rej' as const) : ('seg' as const)));
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
