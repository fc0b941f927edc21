/** One pass over a dataset: protocols, records, samples, limits; with a scripted responder, and with a whole model. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { EvaluatedDataset, ReferringImage } from '../../src/data/refer/refer-dataset.js';
import { GRefCoco } from '../../src/data/refer/refcoco.js';
import { startEngine } from '../../src/engine/engine.js';
import * as tf from '../../src/engine/tf.js';
import { UserError } from '../../src/errors.js';
import { GRES } from '../../src/evaluation/benchmarks/benchmarks.js';
import { evaluate as evaluateOn, type EvaluationOptions } from '../../src/evaluation/evaluate.js';
import type { Responder } from '../../src/evaluation/conversations.js';
import { GRES_PROTOCOLS } from '../../src/evaluation/metrics/gres-score.js';
import type { ExpressionRecord } from '../../src/evaluation/records/record-types.js';
import { segmentResult } from '../../src/inference/segment-result.js';
import { writePng } from '../../src/io/image/image-file.js';
import type { EncodedImage } from '../../src/features/image-features.js';
import type { BinaryMask, ReferringTarget, RgbImage, SegmentStatus } from '../../src/types.js';
import { fixture } from '../helpers/fixtures.js';
import { randomImage, tinyPredictor } from '../inference/tiny-predictor.js';
import { asksAlone } from '../helpers/asks-alone.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-gres-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const [HEIGHT, WIDTH] = [4, 6];

/** A mask whose first `area` pixels are inside. */
function maskOf(area: number): BinaryMask {
  return {
    data: Uint8Array.from({ length: HEIGHT * WIDTH }, (_, i) => (i < area ? 1 : 0)),
    height: HEIGHT,
    width: WIDTH,
  };
}

/** Image i has two expressions: one with i + 1 pixels, one that is absent. */
class Dataset implements EvaluatedDataset {
  readonly images: ReferringImage[];

  constructor(count: number) {
    this.images = Array.from({ length: count }, (_, imageId) => {
      const fileName = `${imageId}.png`;
      return { imageId, fileName, path: join(folder, fileName), height: HEIGHT, width: WIDTH, expressions: [] };
    });
  }

  async writeFiles(): Promise<void> {
    for (const { path, imageId } of this.images) await writePng(path, randomImage(HEIGHT, WIDTH, imageId));
  }

  targets({ imageId }: ReferringImage): ReferringTarget[] {
    return [
      { expression: `thing ${imageId}`, isEmpty: false, mask: maskOf(imageId + 1) },
      { expression: `nothing ${imageId}`, isEmpty: true, mask: maskOf(0) },
    ];
  }
}

/** Answers by script; remembers how it was called. */
class Scripted implements Responder<RgbImage> {
  readonly asksAlone = asksAlone;
  readonly encodedBatches: number[] = [];
  readonly truths: string[] = [];
  /** The form of every question, forced ones first within a batch. */
  readonly forms: string[] = [];
  /** Form and number of the questions that were forced together. */
  readonly groups: string[] = [];

  constructor(
    private readonly forced: readonly [SegmentStatus, SegmentStatus],
    private readonly free: readonly [SegmentStatus, SegmentStatus],
  ) {}

  encode(images: readonly RgbImage[]): Promise<RgbImage[]> {
    this.encodedBatches.push(images.length);
    return Promise.resolve([...images]);
  }

  force: Responder<RgbImage>['force'] = (questions) => {
    this.groups.push(`${questions[0]?.form} ${questions.length}`);
    const replies = questions.map(({ expressions, answers, form }) => {
      this.forms.push(form);
      this.truths.push(answers.join(' '));
      return { ...this.reply(expressions, this.forced, 'forced'), masks: expressions.map(() => maskOf(2)) };
    });
    return Promise.resolve(replies);
  };

  generate: Responder<RgbImage>['generate'] = ({ expressions, form }) => {
    this.forms.push(form);
    const faults = { unknown: 1, repeated: 0, unanswered: 2 };
    return Promise.resolve({ ...this.reply(expressions, this.free, 'free'), faults });
  };

  private reply(
    expressions: readonly string[],
    statuses: readonly SegmentStatus[],
    answer: string,
  ): Awaited<ReturnType<Responder<RgbImage>['force']>>[number] {
    const logits = { data: Float32Array.from(maskOf(2).data, (value) => value - 0.5), height: HEIGHT, width: WIDTH };
    const results = expressions.map((expression, i) =>
      segmentResult(expression, statuses[i] ?? 'rejected', logits, 0.25),
    );
    return { question: expressions.join(), answer, results, masks: [] };
  }
}

const dataset = new Dataset(5);
beforeAll(() => dataset.writeFiles());

function evaluate(responder: Scripted, options: Partial<EvaluationOptions>): ReturnType<typeof evaluateOn> {
  return evaluateOn(GRES, dataset, responder, { protocols: GRES_PROTOCOLS, batch: 2, ...options });
}

describe('evaluate', () => {
  test('every protocol sees its own answers and masks; every image is encoded once', async () => {
    // Forced: everything rejected. Free: everything segmented, with 2 pixels.
    const responder = new Scripted(['rejected', 'rejected'], ['segmented', 'segmented']);
    const records: ExpressionRecord[] = [];
    const { results, faults } = await evaluate(responder, { onImage: (image) => records.push(...image.records) });
    expect(responder.encodedBatches).toEqual([2, 2, 1]);
    // Once for reference, once for strict: they ask in different forms.
    expect(responder.truths).toEqual(Array(10).fill('found absent'));
    // IoU of 2 pixels with i + 1 of them: 1/2, 1, 2/3, 2/4, 2/5.
    const iou = 1 / 2 + 1 + 2 / 3 + 1 / 2 + 2 / 5;
    const [reference, strict, free] = results;
    expect(reference).toMatchObject({ protocol: 'reference', images: 5, expressions: 10, N_acc: 1, T_acc: 0 });
    expect(reference?.gIoU).toBeCloseTo((iou + 5) / 10, 12);
    expect(strict).toMatchObject({ protocol: 'strict', gIoU: 5 / 10, cIoU: 0, N_acc: 1, T_acc: 0 });
    expect(free).toMatchObject({ protocol: 'generate', N_acc: 0, T_acc: 1 });
    expect(free?.gIoU).toBeCloseTo(iou / 10, 12);
    expect(free?.cIoU).toBeCloseTo((1 + 2 + 2 + 2 + 2) / (2 + 2 + 3 + 4 + 5 + 5 * 2), 12);
    expect(faults).toEqual({ unknown: 5, repeated: 0, unanswered: 10 });
    expect(records).toHaveLength(30);
    expect(records[0]).toMatchObject({
      protocol: 'reference',
      imageId: 0,
      fileName: '0.png',
      expression: 'thing 0',
      answer: 'absent',
      rejectProbability: 0.25,
      targetIsEmpty: false,
      decisionIsRight: false,
    });
  });

  test.each([
    ['default', ['reference', 'trained'], 'trained'],
    ['reference', ['reference'], 'reference'],
    ['trained', ['trained'], 'trained'],
    ['where', ['where'], 'where'],
  ] as const)('asked by %s, protocols of the same form share a forced answer', async (question, forced, free) => {
    const responder = new Scripted(['segmented', 'rejected'], ['segmented', 'rejected']);
    await evaluate(responder, { question, batch: 5, limit: 3 });
    expect(responder.forms).toEqual([
      ...forced.flatMap((form) => Array<string>(3).fill(form)),
      ...Array<string>(3).fill(free),
    ]);
  });

  test('the questions of a protocol are computed in the same company, whatever other protocols are asked for', async () => {
    const groups = async (protocols: EvaluationOptions['protocols']): Promise<readonly string[]> => {
      const responder = new Scripted(['segmented', 'rejected'], ['segmented', 'rejected']);
      await evaluate(responder, { protocols, batch: 2 });
      return responder.groups.filter((group) => group.startsWith('reference'));
    };
    expect(await groups(['reference'])).toEqual(['reference 2', 'reference 2', 'reference 1']);
    expect(await groups(['strict', 'reference'])).toEqual(await groups(['reference']));
  });

  test('an expression without [SEG] or [REJ] counts as answered wrongly', async () => {
    const responder = new Scripted(['rejected', 'rejected'], ['no-seg-token', 'no-seg-token']);
    const { results } = await evaluate(responder, { protocols: ['generate'] });
    expect(results).toEqual([expect.objectContaining({ gIoU: 0, cIoU: 0, N_acc: 0, T_acc: 0 })]);
    expect(responder.truths).toEqual([]); // no teacher forcing when nobody asks for it
  });

  test('keeps evenly spread samples of the chosen protocol; limit and progress count images', async () => {
    const responder = new Scripted(['segmented', 'rejected'], ['segmented', 'segmented']);
    const seen: number[] = [];
    const { samples, results } = await evaluate(responder, {
      limit: 4,
      samples: 2,
      sampleProtocol: 'generate',
      onProgress: ({ images, totalImages }) => seen.push(images / totalImages),
    });
    expect(seen).toEqual([0.25, 0.5, 0.75, 1]);
    expect(results[0]?.images).toBe(4);
    expect(samples.map(({ question }) => question)).toEqual(['thing 1,nothing 1', 'thing 3,nothing 3']);
    expect(samples.map(({ answer }) => answer)).toEqual(['free', 'free']);
    expect(samples[0]?.targets.map(({ isEmpty }) => isEmpty)).toEqual([false, true]);
    expect(samples[0]?.image).toMatchObject(randomImage(HEIGHT, WIDTH, 1));
    const all = await evaluate(responder, { samples: 100 });
    expect(all.samples).toHaveLength(5);
    expect(all.faults).not.toBeNull();
  });

  test('stops between batches when it is aborted', async () => {
    const responder = new Scripted(['segmented', 'rejected'], ['segmented', 'segmented']);
    const controller = new AbortController();
    const stop = (): void => {
      controller.abort(new Error('enough'));
    };
    await expect(evaluate(responder, { signal: controller.signal, onProgress: stop })).rejects.toThrow('enough');
    expect(responder.encodedBatches).toEqual([2]);
  });

  test('an image that is missing or of another size is named', async () => {
    const larger = new Dataset(6);
    const responder = new Scripted(['segmented', 'rejected'], ['segmented', 'segmented']);
    const options: EvaluationOptions = { protocols: ['strict'], batch: 4 };
    await expect(evaluateOn(GRES, larger, responder, options)).rejects.toThrow(join(folder, '5.png'));
    await writePng(join(folder, '5.png'), randomImage(HEIGHT, WIDTH + 1, 0));
    await expect(evaluateOn(GRES, larger, responder, options)).rejects.toThrow(
      'is 4 × 7 pixels (height × width), the annotations say 4 × 6',
    );
    await expect(evaluateOn(GRES, larger, responder, { ...options, protocols: [] })).rejects.toThrow(UserError);
  });
});

describe('with a whole model', () => {
  test('evaluates gRefCOCO by all protocols, the same alone and in batches, and leaves no tensor behind', async () => {
    await startEngine();
    const predictor = tinyPredictor();
    const before = tf.memory().numTensors;
    // A random model does not come to an end by itself.
    const responder: Responder<EncodedImage> = {
      encode: (images) => predictor.encode(images),
      force: (questions) => predictor.force(questions),
      asksAlone,
      generate: (question, options) => predictor.generate(question, { ...options, maxTokens: 16 }),
    };
    const data = GRefCoco.open(fixture('datasets', 'data'), 'val');
    const answers = async (batch: number): Promise<[readonly ExpressionRecord[], unknown]> => {
      const records: ExpressionRecord[] = [];
      const protocols = GRES_PROTOCOLS;
      const { results } = await evaluateOn(GRES, data, responder, {
        protocols,
        batch,
        onImage: (image) => records.push(...image.records),
      });
      return [
        records.map((record) => ({ ...record, rejectProbability: Number(record.rejectProbability?.toFixed(3)) })),
        results,
      ];
    };
    const [together, alone] = [await answers(8), await answers(1)];
    expect(together).toEqual(alone);
    const expressions = data.images.reduce((sum, image) => sum + image.expressions.length, 0);
    expect(together[0]).toHaveLength(3 * expressions);
    expect(tf.memory().numTensors).toBe(before);
    predictor.dispose();
  });
});
