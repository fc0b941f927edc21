/** mIoU over classes that are asked one by one, against a table of pixels by class counted by hand. */
import { expect, test } from '@jest/globals';
import { openEvaluatedSet } from '../../../src/data/dataset-registry.js';
import { benchmarkOf } from '../../../src/evaluation/benchmarks/benchmarks.js';
import type { AskedQuestion, ForcedReply, Responder } from '../../../src/evaluation/conversations.js';
import { evaluate } from '../../../src/evaluation/evaluate.js';
import { segmentResult } from '../../../src/inference/segment-result.js';
import type { RgbImage } from '../../../src/types.js';
import { asksAlone } from '../../helpers/asks-alone.js';
import { fixture } from '../../helpers/fixtures.js';

const [HEIGHT, WIDTH] = [4, 6];

/** Draws columns by class, whichever picture it is. */
class Columns implements Responder<RgbImage> {
  readonly asksAlone = asksAlone;
  readonly asked: string[] = [];

  constructor(private readonly drawn: Readonly<Record<string, readonly number[]>>) {}

  encode(images: readonly RgbImage[]): Promise<RgbImage[]> {
    return Promise.resolve([...images]);
  }

  force: Responder<RgbImage>['force'] = (questions) => Promise.resolve(questions.map((each) => this.reply(each)));

  generate: Responder<RgbImage>['generate'] = (question) => Promise.resolve(this.reply(question));

  private reply({ expressions, logitRule }: AskedQuestion<RgbImage>): ForcedReply {
    this.asked.push(...expressions);
    const results = expressions.map((expression) => {
      const columns = this.drawn[expression] ?? [];
      const data = Float32Array.from({ length: HEIGHT * WIDTH }, (_, i) => (columns.includes(i % WIDTH) ? 1 : 0));
      return segmentResult(expression, 'segmented', { data, height: HEIGHT, width: WIDTH }, null, logitRule);
    });
    const masks = results.map(({ mask }) => mask ?? { data: new Uint8Array(24), height: HEIGHT, width: WIDTH });
    return { question: expressions.join(), answer: '', results, masks };
  }
}

test('voc21: intersections and unions of a class add up over the pictures that have it, then the mean of the classes', async () => {
  const dataset = await openEvaluatedSet('voc21', fixture('ovs', 'data'), 'val', { honourIgnore: false });
  // Pictures by column: [0, 1, 1, void, 15, 15] and [19, 19, 19, 19, void, 0]; class 0 is the background, void is nobody's.
  const responder = new Columns({ background: [0, 5], aeroplane: [1, 2, 3], person: [4], train: [0, 1, 2, 3] });
  const { results } = await evaluate(benchmarkOf('voc21', 'one-pass'), dataset, responder, {
    protocols: ['strict'],
    batch: 1,
  });
  expect(responder.asked).toEqual(['background', 'aeroplane', 'person', 'background', 'train']);
  // Background 4 + 4 of 8 + 8 pixels, aeroplane 8 of 8 and 4 of void, person 4 of 8, train 16 of 16.
  const { mIoU, cIoU } = results[0]?.figures ?? {};
  expect(mIoU).toBeCloseTo((8 / 16 + 1 + 4 / 8 + 1) / 4, 9);
  expect(cIoU).toBeCloseTo(36 / 48, 6);
});
