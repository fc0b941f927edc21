/** A dataset of random masks and a responder whose answers are a function of image and expression alone; seeded. */
import { join } from 'node:path';
import type { EvaluatedDataset, ReferringImage } from '../../src/data/refer/refer-dataset.js';
import type { Responder } from '../../src/evaluation/conversations.js';
import type { GresProtocol } from '../../src/evaluation/metrics/gres-score.js';
import type { RecordHeader } from '../../src/evaluation/records/record.js';
import type { ExpressionRecord } from '../../src/evaluation/records/record-types.js';
import { segmentResult } from '../../src/inference/segment-result.js';
import { writePng } from '../../src/io/image/image-file.js';
import { Random } from '../../src/random.js';
import type { BinaryMask, ReferringTarget, RgbImage, SegmentStatus } from '../../src/types.js';
import { randomImage } from '../inference/tiny-predictor.js';
import { asksAlone } from '../helpers/asks-alone.js';

const [HEIGHT, WIDTH] = [12, 17];

/** A random rectangle; nothing of it where `isEmpty`. */
function rectangle(random: Random, isEmpty = false): BinaryMask {
  const [y0, x0] = [random.integer(HEIGHT - 2), random.integer(WIDTH - 2)];
  const [y1, x1] = [y0 + 1 + random.integer(HEIGHT - y0), x0 + 1 + random.integer(WIDTH - x0)];
  const data = Uint8Array.from({ length: HEIGHT * WIDTH }, (_, i) => {
    const [y, x] = [Math.floor(i / WIDTH), i % WIDTH];
    return Number(!isEmpty && y >= y0 && y < y1 && x >= x0 && x < x1);
  });
  return { data, height: HEIGHT, width: WIDTH };
}

export class RandomDataset implements EvaluatedDataset {
  readonly images: readonly ReferringImage[];

  constructor(
    private readonly folder: string,
    count: number,
    private readonly seed = 1,
  ) {
    this.images = Array.from({ length: count }, (_, place): ReferringImage => {
      const random = new Random(seed).fork(place);
      const imageId = 100 + place;
      const fileName = `${imageId}.png`;
      const expressions = Array.from({ length: 1 + random.integer(4) }, (_, i) => {
        const targets = random.integer(4);
        const annotationIds = Array.from({ length: targets }, (_, k) => k);
        return {
          text: `thing ${i} of ${place}${' more'.repeat(random.integer(4))}`,
          annotationIds,
          isEmpty: targets === 0,
        };
      });
      return { imageId, fileName, path: join(this.folder, fileName), height: HEIGHT, width: WIDTH, expressions };
    });
  }

  async writeFiles(): Promise<void> {
    for (const { path, imageId } of this.images) await writePng(path, randomImage(HEIGHT, WIDTH, imageId));
  }

  targets({ imageId, expressions }: ReferringImage): ReferringTarget[] {
    const random = new Random(this.seed + imageId);
    return expressions.map(({ text, isEmpty }) => ({ expression: text, isEmpty, mask: rectangle(random, isEmpty) }));
  }
}

/** Counts what it computes. */
export class RandomResponder implements Responder<RgbImage> {
  readonly asksAlone = asksAlone;
  encoded = 0;
  generated = 0;

  constructor(private readonly skill = 0.7) {}

  encode(images: readonly RgbImage[]): Promise<RgbImage[]> {
    this.encoded += images.length;
    return Promise.resolve([...images]);
  }

  force: Responder<RgbImage>['force'] = (questions) =>
    Promise.resolve(
      questions.map(({ expressions, answers }) => {
        const parts = expressions.map((text, i) => this.part(text, 1, answers[i] === 'absent'));
        return { ...reply(parts), masks: parts.map(({ mask }) => mask) };
      }),
    );

  generate: Responder<RgbImage>['generate'] = ({ expressions }) => {
    this.generated++;
    const parts = expressions.map((text, i) => this.part(text, 2, i % 3 === 2));
    return Promise.resolve({ ...reply(parts), faults: { unknown: 1, repeated: expressions.length, unanswered: 0 } });
  };

  private part(expression: string, seed: number, isAbsent: boolean): Part {
    const random = new Random([...expression].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed));
    const noise = random.uniform();
    const rejectProbability = isAbsent ? 1 - noise * noise * this.skill : noise * this.skill;
    const status = rejectProbability >= 0.5 ? 'rejected' : 'segmented';
    return { expression, rejectProbability, status, mask: rectangle(random) };
  }
}

interface Part {
  readonly expression: string;
  readonly rejectProbability: number;
  readonly status: SegmentStatus;
  readonly mask: BinaryMask;
}

function reply(parts: readonly Part[]): Awaited<ReturnType<Responder<RgbImage>['generate']>> {
  const results = parts.map(({ expression, status, mask, rejectProbability }) => {
    const logits = { ...mask, data: Float32Array.from(mask.data, (value) => value - 0.5) };
    return segmentResult(expression, status, logits, rejectProbability);
  });
  return { question: parts.map(({ expression }) => expression).join(), answer: 'Sure.', results };
}

export function headerFor(images: number, more: Partial<RecordHeader> = {}): RecordHeader {
  return {
    dataset: 'grefcoco',
    split: 'val',
    benchmark: 'gres',
    question: 'reference',
    protocols: ['strict', 'reference', 'generate'],
    images,
    batch: 4,
    model: 'a model',
    configDigest: 'c0',
    checkpoint: 'checkpoints/none',
    weightsDigest: 'w0',
    rejectThreshold: null,
    minimumPixels: 0,
    honourIgnore: false,
    engine: 'none',
    shard: { index: 0, count: 1 },
    date: '2026-01-02T03:04:05.000Z',
    ...more,
  };
}

/** A record of a present target answered with a mask of IoU 0.5, or what `more` makes of it. */
export function recordFor(more: Partial<ExpressionRecord> = {}, protocol: GresProtocol = 'strict'): ExpressionRecord {
  return {
    protocol,
    imageId: 1,
    fileName: '1.jpg',
    height: 100,
    width: 200,
    index: 0,
    expression: 'a thing',
    targets: 1,
    answer: 'found',
    rejectProbability: 0.25,
    score: 0.9,
    targetIsEmpty: false,
    decisionIsRight: true,
    iou: 0.5,
    intersection: 100,
    union: 200,
    targetArea: 150,
    predictedArea: 150,
    boxIou: null,
    boundaryErrors: 0,
    other: null,
    mask: null,
    ...more,
  };
}
