/** Every benchmark on miniatures of its dataset: what is asked, what is reported; then the same with a whole model. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { EvaluatedDataset } from '../../../src/data/refer/refer-dataset.js';
import { EVALUATED_NAMES, openEvaluatedSet, usualSplit } from '../../../src/data/dataset-registry.js';
import { EXPRESSION_FORMS } from '../../../src/systems/gsva/prompts.js';
import { startEngine } from '../../../src/engine/engine.js';
import * as tf from '../../../src/engine/tf.js';
import { benchmarkOf } from '../../../src/evaluation/benchmarks/benchmarks.js';
import type { Evaluation } from '../../../src/evaluation/evaluation-run.js';
import { evaluate, type EvaluationOptions } from '../../../src/evaluation/evaluate.js';
import { recordedResults } from '../../../src/evaluation/records/record-figures.js';
import type { ImageRecord } from '../../../src/evaluation/records/record-types.js';
import type { AskedQuestion, ForcedReply, Responder } from '../../../src/evaluation/conversations.js';
import { segmentResult } from '../../../src/inference/segment-result.js';
import type { EncodedImage } from '../../../src/features/image-features.js';
import type { BinaryMask, RgbImage } from '../../../src/types.js';
import { fixture } from '../../helpers/fixtures.js';
import { tinyPredictor } from '../../inference/tiny-predictor.js';
import { headerFor } from '../random-run.js';
import { asksAlone } from '../../helpers/asks-alone.js';

const DATA = fixture('datasets', 'data');
/** The division by Google and Mapillary's validation have no miniature; PASCAL's sets are in a folder of their own. */
const NAMES = EVALUATED_NAMES.filter((name) => !/^(refcocog-google|mapillary|voc2[01]|pc59)$/.test(name));

const open = (name: string, honourIgnore = false): Promise<EvaluatedDataset> =>
  openEvaluatedSet(name, DATA, usualSplit(name), { honourIgnore });

/** Knows the truth, and draws it; remembers what it was asked. */
class Oracle implements Responder<RgbImage> {
  readonly asksAlone = asksAlone;
  readonly asked: AskedQuestion<RgbImage>[] = [];

  /** @param masks by expression, of the image that is asked about */
  constructor(private readonly dataset: EvaluatedDataset) {}

  encode(images: readonly RgbImage[]): Promise<RgbImage[]> {
    return Promise.resolve([...images]);
  }

  force: Responder<RgbImage>['force'] = (questions) => {
    this.asked.push(...questions);
    return Promise.resolve(questions.map((question) => this.reply(question)));
  };

  generate: Responder<RgbImage>['generate'] = (question) => Promise.resolve(this.reply(question));

  private reply({ image, expressions }: AskedQuestion<RgbImage>): ForcedReply {
    const { height, width } = image;
    const masks = expressions.map((expression): BinaryMask => {
      const all = this.dataset.images
        .filter((each) => each.height === height && each.width === width)
        .flatMap((each) => this.dataset.targets(each));
      const found = all.find((target) => target.expression === expression);
      return found?.mask ?? { data: new Uint8Array(height * width), height, width };
    });
    const results = masks.map((mask, i) => {
      const status = mask.data.includes(1) ? 'segmented' : 'rejected';
      const logits = { ...mask, data: Float32Array.from(mask.data, (value) => value - 0.5) };
      return segmentResult(expressions[i] ?? '', status, logits, 0.5);
    });
    return { question: expressions.join(), answer: '', results, masks };
  }
}

describe('what is asked', () => {
  test.each(NAMES)('%s: all expressions of an image at once, or each alone, in the form of the set', async (name) => {
    const dataset = await open(name);
    const oracle = new Oracle(dataset);
    await evaluate(benchmarkOf(name), dataset, oracle, { protocols: ['strict'], batch: 2 });
    const isAlone = name === 'ade20k' || name === 'reason_seg';
    const expressions = dataset.images.reduce((sum, image) => sum + image.expressions.length, 0);
    expect(oracle.asked).toHaveLength(isAlone ? expressions : dataset.images.length);
    for (const { form, expressions: together, logitRule } of oracle.asked) {
      if (isAlone) expect(together).toHaveLength(1);
      expect(form).toMatch({ ade20k: /^class$/, reason_seg: /^reason-/ }[name] ?? /^trained$/);
      expect(logitRule).toBe(name === 'grefcoco' || name === 'refzom' ? 'logit >= 0' : 'logit > 0');
    }
  });

  test('who draws the truth has a perfect score on every benchmark, by every protocol', async () => {
    for (const name of ['grefcoco', 'refzom', 'ade20k', 'reason_seg']) {
      const dataset = await open(name);
      const options: EvaluationOptions = { protocols: ['reference', 'strict', 'generate'], batch: 1 };
      const { results } = await evaluate(benchmarkOf(name), dataset, new Oracle(dataset), options);
      for (const { figures } of results) {
        for (const [figure, value] of Object.entries(figures)) {
          // The published guard against division by zero takes a little away.
          if (value !== null) expect([name, figure, value > 0.9999]).toEqual([name, figure, true]);
        }
      }
    }
  });

  test('ReasonSeg: ignored regions are target as published, and no one’s business where they are honoured', async () => {
    const [published, honoured] = [await open('reason_seg'), await open('reason_seg', true)];
    const areaOf = (dataset: EvaluatedDataset): number =>
      dataset.images
        .flatMap((image) => dataset.targets(image))
        .reduce((sum, { mask }) => sum + mask.data.reduce((area, value) => area + value, 0), 0);
    expect(areaOf(honoured)).toBeLessThan(areaOf(published));
    const ignored = honoured.images.flatMap((image) => honoured.targets(image)).map((target) => target.ignored);
    expect(ignored.some((mask) => mask?.data.includes(1))).toBe(true);
  });

  test('other sets, and other splits, are refused by name', async () => {
    const opened = (name: string, split: string): Promise<unknown> =>
      openEvaluatedSet(name, DATA, split, { honourIgnore: false });
    await expect(opened('cocostuff', 'train')).rejects.toThrow(
      /cocostuff is not a benchmark; benchmarks are on refclef/,
    );
    await expect(opened('refcocos', 'val')).rejects.toThrow(/refcocos is not known.*refcoco/);
    await expect(opened('refcocog', 'testA')).rejects.toThrow(/refcocog has no split "testA".*train, val, test/);
  });
});

describe('with a whole model', () => {
  beforeAll(() => startEngine());

  test('every benchmark by all protocols; records give the same figures; no tensor is left behind', async () => {
    const predictor = tinyPredictor();
    const before = tf.memory().numTensors;
    const responder: Responder<EncodedImage> = {
      encode: (images) => predictor.encode(images),
      force: (questions) => predictor.force(questions),
      asksAlone,
      generate: (question, options) => predictor.generate(question, { ...options, maxTokens: 6 }),
      refusal: (expressions, form) => predictor.refusal(expressions, form),
    };
    const run = async (name: string, more: Partial<EvaluationOptions>): Promise<Evaluation> => {
      const images: ImageRecord[] = [];
      const benchmark = benchmarkOf(name);
      const protocols = ['reference', 'strict', 'generate'] as const;
      const dataset = await open(name);
      const evaluation = await evaluate(benchmark, dataset, responder, {
        protocols,
        batch: 3,
        limit: 2,
        samples: 1,
        onImage: (image) => images.push(image),
        ...more,
      });
      const header = headerFor(2, { protocols, benchmark: benchmark.name });
      expect(recordedResults({ header, images })).toEqual(evaluation.results);
      expect(Object.keys(evaluation.results[0]?.figures ?? {})).toEqual(benchmark.figures.map((figure) => figure.name));
      return evaluation;
    };
    for (const name of NAMES) {
      const { results, refused, samples } = await run(name, {});
      expect([name, refused.images, samples.length]).toEqual([name, 0, 1]);
      expect([name, (results[0]?.expressions ?? 0) + refused.expressions > 1]).toEqual([name, true]);
    }
    const questions: string[] = [];
    for (const question of EXPRESSION_FORMS) {
      const { samples } = await run('grefcoco', { question, limit: 1 });
      questions.push(samples[0]?.question ?? '');
    }
    // The trained question is Table 6's first one; their answers differ.
    expect(new Set(questions).size).toBe(EXPRESSION_FORMS.length - 1);
    expect(tf.memory().numTensors).toBe(before);
    predictor.dispose();
  });
});
