/** Too long, too large, missing, damaged: questions are divided, or what cannot be asked is named and counted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { EvaluatedTarget, ReferringImage } from '../../src/data/refer/refer-dataset.js';
import { GRES } from '../../src/evaluation/benchmarks/benchmarks.js';
import { compareRuns } from '../../src/evaluation/compare.js';
import { divide, inGroups, MOST_MASK_PIXELS } from '../../src/evaluation/conversations.js';
import { evaluate, type EvaluationOptions } from '../../src/evaluation/evaluate.js';
import type { Evaluation } from '../../src/evaluation/evaluation-run.js';
import { mergeRecords, readRecords, RecordWriter } from '../../src/evaluation/records/record-file.js';
import { recordedRefusals, recordedResults } from '../../src/evaluation/records/record-figures.js';
import { failureScenes, recordedSamples } from '../../src/evaluation/report/recorded-report.js';
import { headerFor, RandomDataset, RandomResponder } from './random-run.js';
import { asksAlone } from '../helpers/asks-alone.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-refusals-'));
const at = (name: string): string => join(folder, name);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function targetsOf(texts: readonly string[], pixels = 4, form?: EvaluatedTarget['form']): EvaluatedTarget[] {
  const mask = { data: new Uint8Array(pixels), height: 1, width: pixels };
  return texts.map((expression) => ({
    expression,
    isEmpty: true,
    mask,
    ...(form === undefined ? {} : { form }),
  }));
}

/** A context of 20 letters. */
const short = (expressions: readonly string[]): string | null =>
  expressions.join('').length > 20 ? 'too many letters' : null;

const SHORT = { asksAlone, refuse: short };
const ALL = { asksAlone, refuse: () => null };

describe('questions', () => {
  test('what does not fit into one is asked in several, in order; what does not fit alone is refused', () => {
    const texts = ['0123456789', 'abcdefgh', 'x'.repeat(21), 'AB', 'a new one'];
    const { conversations, refused } = divide(targetsOf(texts), 'reference', SHORT);
    expect(conversations.map(({ indexes }) => indexes)).toEqual([[0, 1, 3], [4]]);
    expect(refused).toEqual([
      { index: 2, expression: texts[2], reason: 'cannot be asked', message: 'too many letters' },
    ]);
  });

  test('100 expressions: all of them are asked, none twice', () => {
    const texts = Array.from({ length: 100 }, (_, i) => `thing ${i}`);
    const { conversations } = divide(targetsOf(texts), 'what', SHORT);
    expect(conversations.flatMap(({ indexes }) => indexes)).toEqual(texts.map((_, i) => i));
    expect(conversations.length).toBeGreaterThan(40);
    expect(divide(targetsOf(texts), 'what', ALL).conversations).toHaveLength(1);
  });

  test('masks that would fill the memory are drawn a few at a time; what is asked alone stays alone', () => {
    const large = { ...targetsOf(['a'])[0], mask: { data: { length: MOST_MASK_PIXELS / 2 }, height: 1, width: 1 } };
    const three = [large, large, large] as unknown as EvaluatedTarget[];
    expect(divide(three, 'reference', ALL).conversations.map(({ indexes }) => indexes)).toEqual([[0, 1], [2]]);
    const alone = divide(targetsOf(['a', 'b'], 4, 'class'), 'reference', SHORT).conversations;
    expect(alone).toEqual([
      { form: 'class', indexes: [0] },
      { form: 'class', indexes: [1] },
    ]);
    const sized = (...sizes: number[]): { pixels: number }[] => sizes.map((pixels) => ({ pixels }));
    expect(inGroups(sized(1, 1, 1), 2)).toEqual([sized(1, 1), sized(1)]);
    expect(inGroups(sized(MOST_MASK_PIXELS, 1, 1), 8)).toEqual([sized(MOST_MASK_PIXELS), sized(1, 1)]);
  });
});

const IMAGES = 9;
const [MISSING, DAMAGED, HUGE] = [2, 4, 7];

/** One image is missing, one damaged, one (by its annotations) of 400 million pixels. */
class Faulty extends RandomDataset {
  override readonly images: readonly ReferringImage[];

  constructor() {
    super(folder, IMAGES);
    this.images = faultless.images.map((image, i) => {
      return i === HUGE ? { ...image, height: 20_000, width: 20_000 } : image;
    });
  }
}

const faultless = new RandomDataset(folder, IMAGES);
/** The second expression of an image is too long for it. */
class Forgetful extends RandomResponder {
  refusal(expressions: readonly string[]): string | null {
    return expressions.some((text) => text.startsWith('thing 1')) ? 'it is about thing 1' : null;
  }
}

beforeAll(async () => {
  await faultless.writeFiles();
  rmSync(faultless.images[MISSING]?.path ?? '');
  writeFileSync(faultless.images[DAMAGED]?.path ?? '', 'no picture');
});

function run(options: Partial<EvaluationOptions>, responder = new Forgetful()): Promise<Evaluation> {
  return evaluate(GRES, new Faulty(), responder, { protocols: ['strict', 'generate'], batch: 4, ...options });
}

describe('images', () => {
  test('one that is missing ends the run with its name, unless bad ones are skipped and counted', async () => {
    await expect(run({})).rejects.toThrow(faultless.images[MISSING]?.path);
    const told: string[] = [];
    const { results, refused } = await run({
      skipBad: true,
      onRefusal: (name, { reason }) => told.push(`${name} ${reason}`),
    });
    expect(refused).toMatchObject({ images: 3, reasons: { 'bad image': 2, 'too large': 1 } });
    expect(refused.expressions).toBe(refused.reasons['cannot be asked']);
    const usable = faultless.images.filter((_, i) => ![MISSING, DAMAGED, HUGE].includes(i));
    const asked = usable.flatMap(({ expressions }) => expressions.filter(({ text }) => !text.startsWith('thing 1')));
    expect(results[0]).toMatchObject({ images: IMAGES, expressions: asked.length });
    expect(told).toHaveLength(3 + refused.expressions);
    expect(told).toContain('102.png bad image');
    expect(told).toContain('107.png too large');
  });

  test('records keep what was left out: resumed, joined, compared and drawn they are as in one run', async () => {
    const header = headerFor(IMAGES, { protocols: ['strict', 'generate'] });
    const record = async (
      name: string,
      options: Partial<EvaluationOptions>,
      shard = header.shard,
    ): Promise<Evaluation> => {
      const { writer, earlier } = RecordWriter.resume(at(name), { ...header, shard });
      const evaluation = await run({
        skipBad: true,
        shard,
        earlier,
        onImage: (image) => {
          writer.write(image);
        },
        ...options,
      });
      writer.close();
      return evaluation;
    };
    const whole = await record('whole.jsonl', {});
    const file = readRecords(at('whole.jsonl'));
    expect(recordedResults(file)).toEqual(whole.results);
    expect(recordedRefusals(file.images)).toEqual(whole.refused);

    const stop = new AbortController();
    await record('cut.jsonl', { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }).catch(
      () => 0,
    );
    expect(readRecords(at('cut.jsonl')).images).toHaveLength(4);
    expect((await record('cut.jsonl', {})).results).toEqual(whole.results);

    for (const index of [0, 1]) await record(`part-${index}.jsonl`, {}, { index, count: 2 });
    const joined = mergeRecords([0, 1].map((index) => readRecords(at(`part-${index}.jsonl`))));
    expect(recordedResults(joined)).toEqual(whole.results);

    const [same] = compareRuns(file, { ...joined, path: 'joined' }, { resamples: 20, seed: 1 });
    expect(same?.figures.every(({ difference }) => difference === 0 || difference === null)).toBe(true);

    const samples = await recordedSamples(new Faulty(), file.images, 'strict', 20);
    expect(samples).toHaveLength(IMAGES - 3);
    const later = file.images
      .flatMap(({ records }) => records)
      .find(({ index, protocol }) => index === 2 && protocol === 'strict');
    if (later === undefined) throw new Error('no image has a third expression');
    const [scene] = await failureScenes(new Faulty(), file.images, [{ kind: 'inexact', cost: 1, record: later }]);
    expect(scene?.expressions[0]?.record).toEqual(later);
  });
});
