/** Records: what is written is read; what a crash cuts off is dropped; resumed and sharded runs equal whole ones. */
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import { GRES } from '../../../src/evaluation/benchmarks/benchmarks.js';
import { evaluate as evaluateOn, type EvaluationOptions } from '../../../src/evaluation/evaluate.js';
import type { Evaluation } from '../../../src/evaluation/evaluation-run.js';
import {
  mergeRecords,
  readRecords,
  readWholeRun,
  recordText,
  RecordWriter,
} from '../../../src/evaluation/records/record-file.js';
import { GRES_PROTOCOLS } from '../../../src/evaluation/metrics/gres-score.js';
import { recordedFaults, recordedResults } from '../../../src/evaluation/records/record-figures.js';
import type { RecordFile, RecordHeader } from '../../../src/evaluation/records/record.js';
import type { ImageRecord } from '../../../src/evaluation/records/record-types.js';
import { headerFor, RandomDataset, RandomResponder } from '../random-run.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-records-'));
const at = (name: string): string => join(folder, name);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const IMAGES = 11;
const dataset = new RandomDataset(folder, IMAGES);
const header = headerFor(IMAGES, { protocols: GRES_PROTOCOLS });
let whole: Evaluation;
let wholeFile: RecordFile;

function evaluate(options: Partial<EvaluationOptions>, responder = new RandomResponder()): Promise<Evaluation> {
  return evaluateOn(GRES, dataset, responder, { protocols: GRES_PROTOCOLS, batch: 4, ...options });
}

async function record(path: string, head: RecordHeader, options: Partial<EvaluationOptions> = {}): Promise<Evaluation> {
  const writer = RecordWriter.create(path, head);
  const onImage = (image: ImageRecord): void => {
    writer.write(image);
  };
  return evaluate({ shard: head.shard, onImage, ...options }).finally(() => {
    writer.close();
  });
}

/** Times are not part of what has to be equal. */
function timeless(images: readonly ImageRecord[]): unknown {
  return images.map((image) => ({ ...image, seconds: 0, date: '' }));
}

beforeAll(async () => {
  await dataset.writeFiles();
  whole = await record(at('whole.jsonl'), header);
  wholeFile = readWholeRun(at('whole.jsonl'));
});

describe('a file of records', () => {
  test('gives the figures of the run, to the last bit', () => {
    expect(wholeFile.header).toEqual(header);
    expect(recordedResults(wholeFile)).toEqual(whole.results);
    expect(recordedFaults(wholeFile.images)).toEqual(whole.faults);
    expect([...recordText(wholeFile)].join('')).toBe(readFileSync(at('whole.jsonl'), 'utf8'));
  });

  test('is never overwritten', () => {
    expect(() => RecordWriter.create(at('whole.jsonl'), header)).toThrow(/is there already.*--resume/);
  });

  test('of a run that fails before its first image is removed; later, or of an earlier run, it stays', () => {
    const [path, begun] = [at('failed.jsonl'), at('begun.jsonl')];
    RecordWriter.create(path, header).abandon();
    expect(existsSync(path)).toBe(false);
    const writer = RecordWriter.create(begun, header);
    writer.write(wholeFile.images[0] as ImageRecord);
    writer.abandon();
    expect(readRecords(begun).images).toHaveLength(1);
    RecordWriter.resume(begun, header).writer.abandon();
    expect(readRecords(begun).images).toHaveLength(1);
    // A shard without images is complete with its header alone.
    RecordWriter.create(path, header).close();
    expect(existsSync(path)).toBe(true);
  });

  test('a cut at any byte loses no more than the image that was being written', () => {
    const bytes = readFileSync(at('whole.jsonl'));
    const path = at('cut.jsonl');
    const ends = [...bytes.toString('utf8').matchAll(/\{"kind":"image".*\n/g)].map(
      ({ 0: line, index }) => index + line.length,
    );
    const headEnd = bytes.indexOf(0x0a) + 1;
    for (let cut = headEnd; cut <= bytes.length; cut += 197) {
      writeFileSync(path, bytes.subarray(0, cut));
      const { images } = readRecords(path);
      expect(images).toHaveLength(ends.filter((end) => end <= cut).length);
      expect(images).toEqual(wholeFile.images.slice(0, images.length));
    }
    writeFileSync(path, bytes.subarray(0, headEnd - 1));
    expect(() => readRecords(path)).toThrow(/is empty/);
    // A run that was cut off in its header begins anew; another file without a line break is left alone.
    for (const kept of [0, headEnd - 1]) {
      writeFileSync(path, bytes.subarray(0, kept));
      const { writer, earlier } = RecordWriter.resume(path, header);
      writer.close();
      expect(earlier).toEqual([]);
      expect(readRecords(path)).toMatchObject({ header, images: [] });
    }
    writeFileSync(path, 'my notes');
    expect(() => RecordWriter.resume(path, header)).toThrow(UserError);
    expect(readFileSync(path, 'utf8')).toBe('my notes');
    writeFileSync(path, bytes.subarray(0, ends[4]));
    expect(() => readWholeRun(path)).toThrow(`holds 5 of ${IMAGES} images`);
  });

  const line = (text: string, number: number): string => text.split('\n')[number - 1] ?? '';
  test.each<[string, (text: string) => string, RegExp]>([
    ['a line that is no JSON', (text) => text.replace(line(text, 3), '{"kind":'), /line 3 of .* is not valid JSON/],
    [
      'a value of another kind',
      (text) => text.replace(/"iou":[^,]*/, '"iou":2'),
      /line 2: "iou" is 2, expected a number from 0 to 1/,
    ],
    ['a missing key', (text) => text.replace(/"answer":"\w+",/, ''), /line 2: .*"answer" is missing/],
    [
      'broken runs of a mask',
      (text) => text.replace(/"mask":"[^"]*"/, '"mask":"!"'),
      /line \d+: "mask" is "!", expected the runs/,
    ],
    [
      'an image that is missing',
      (text) => text.replace(/\{"kind":"expression"[^]*?"kind":"image".*\n/, ''),
      /closes image 1, expected image 0/,
    ],
    [
      'a result that is missing',
      (text) => text.replace(`${line(text, 2)}\n`, ''),
      /closes an image of \d+ results after \d+/,
    ],
    ['another version', (text) => text.replace('"version":2', '"version":3'), /line 1: "version" is 3/],
    ['a second header', (text) => `${text}${line(text, 1)}\n`, /is a second header/],
    ['no header', (text) => text.replace(/^.*\n/, ''), /does not begin with a header/],
    ['no records at all', () => 'a letter\nto somebody\n', /line 1 of .* is not valid JSON/],
  ])('%s is named with its line', (_, change, message) => {
    writeFileSync(at('changed.jsonl'), change(readFileSync(at('whole.jsonl'), 'utf8')));
    expect(() => readRecords(at('changed.jsonl'))).toThrow(UserError);
    expect(() => readRecords(at('changed.jsonl'))).toThrow(message);
  });

  test('a file that is missing, and one that is not text', () => {
    expect(() => readRecords(at('none'))).toThrow(/There is no file .*none/);
    writeFileSync(at('binary'), Buffer.from([0xff, 0xfe, 0x0a]));
    expect(() => readRecords(at('binary'))).toThrow(/line 1 of .* cannot be read: it is not a text in UTF-8/);
  });
});

describe('an interrupted run', () => {
  test('goes on after any number of images, with the figures of an uninterrupted one; nothing is computed twice', async () => {
    for (let done = 0; done <= IMAGES; done += 3) {
      const path = at(`stopped-${done}.jsonl`);
      const controller = new AbortController();
      const reason = new Error('stop');
      const writer = RecordWriter.create(path, header);
      let count = 0;
      const onImage = (image: ImageRecord): void => {
        // A crash: what comes after is not written.
        if (count++ >= done) throw reason;
        writer.write(image);
      };
      await evaluate({ onImage, signal: controller.signal }).catch((error: unknown) => {
        expect(error).toBe(reason);
      });
      writer.close();
      if (done > 0) appendFileSync(path, '{"kind":"expression","protocol":"str');

      const resumed = RecordWriter.resume(path, { ...header, date: '2026-02-02T00:00:00.000Z' });
      expect(resumed.earlier).toHaveLength(done);
      const responder = new RandomResponder();
      const seen: number[] = [];
      const evaluation = await evaluate(
        {
          earlier: resumed.earlier,
          onImage: (image) => {
            resumed.writer.write(image);
          },
          onProgress: ({ images }) => seen.push(images),
        },
        responder,
      );
      resumed.writer.close();
      expect(evaluation.results).toEqual(whole.results);
      expect(evaluation.faults).toEqual(whole.faults);
      expect(responder.generated).toBe(IMAGES - done);
      expect(seen).toEqual(Array.from({ length: IMAGES - done }, (_, i) => done + i + 1));
      const file = readWholeRun(path);
      expect(timeless(file.images)).toEqual(timeless(wholeFile.images));
      expect(file.header).toEqual(header); // as the run was begun
    }
  });

  test('begins where there is no file', async () => {
    const { writer, earlier } = RecordWriter.resume(at('new/run.jsonl'), header);
    writer.close();
    expect(earlier).toEqual([]);
    expect(readRecords(at('new/run.jsonl')).images).toEqual([]);
  });

  test.each<[keyof RecordHeader, Partial<RecordHeader>, RegExp]>([
    ['weightsDigest', { weightsDigest: 'w1' }, /its weightsDigest is "w0", now it is "w1"/],
    ['protocols', { protocols: ['strict'] }, /its protocols is \["reference".*now it is \["strict"\]/],
    ['batch', { batch: 5 }, /its batch is 4, now it is 5/],
    ['shard', { shard: { index: 1, count: 2 } }, /its shard is 0\/1, now it is 1\/2/],
    ['rejectThreshold', { rejectThreshold: 0.4 }, /its rejectThreshold is null, now it is 0.4/],
  ])('is not continued by another one: %s', (_, change, message) => {
    const before = readFileSync(at('whole.jsonl'));
    expect(() => RecordWriter.resume(at('whole.jsonl'), { ...header, ...change })).toThrow(message);
    expect(readFileSync(at('whole.jsonl'))).toEqual(before);
  });

  test('a file that is none of ours is left as it is', () => {
    writeFileSync(at('notes.txt'), 'my notes without a line break');
    expect(() => RecordWriter.resume(at('notes.txt'), header)).toThrow(UserError);
    expect(readFileSync(at('notes.txt'), 'utf8')).toBe('my notes without a line break');
  });

  test('records of other data are refused', async () => {
    const other = new RandomDataset(folder, IMAGES, 2);
    const run = evaluateOn(GRES, other, new RandomResponder(), {
      protocols: GRES_PROTOCOLS,
      batch: 4,
      earlier: wholeFile.images.slice(0, 3),
    });
    await expect(run).rejects.toThrow(/recorded image \d+ is .*not what the dataset has there/);
  });
});

describe('shards', () => {
  const shardPath = (index: number, count: number): string => at(`shard-${index}-${count}.jsonl`);

  test('joined in any order they are the run of one process, to the last bit', async () => {
    for (const count of [1, 2, 3, 4, 13]) {
      for (let index = 0; index < count; index++) {
        await record(shardPath(index, count), { ...header, shard: { index, count } });
      }
      const files = Array.from({ length: count }, (_, index) => readRecords(shardPath(index, count)));
      const merged = mergeRecords(files.reverse());
      expect(merged.header).toEqual(header);
      expect(timeless(merged.images)).toEqual(timeless(wholeFile.images));
      expect(recordedResults(merged)).toEqual(whole.results);
    }
  });

  test('one alone is no whole run', () => {
    expect(() => readWholeRun(shardPath(1, 2))).toThrow(/shard 1 of 2 alone.*gsva\.js report merge/);
  });

  test('overlaps, gaps, unfinished shards and other runs are refused by name', () => {
    const [a, b] = [readRecords(shardPath(0, 2)), readRecords(shardPath(1, 2))];
    copyFileSync(a.path, at('copy.jsonl'));
    const copy = readRecords(at('copy.jsonl'));
    expect(() => mergeRecords([])).toThrow('no file');
    expect(() => mergeRecords([a, copy, b])).toThrow(`${a.path} and ${copy.path} are both shard 0 of 2`);
    expect(() => mergeRecords([b])).toThrow('of 2 shards 0 is missing');
    expect(() => mergeRecords([a, { ...b, images: b.images.slice(0, 2) }])).toThrow(`${b.path} holds 2 of 5 images`);
    const other = { ...b, header: { ...b.header, weightsDigest: 'w1' } };
    expect(() => mergeRecords([a, other])).toThrow('weightsDigest is "w0" and "w1"');
    expect(() => mergeRecords([a, readRecords(shardPath(1, 3))])).toThrow('one of 2 shards');
  });
});

test('the threshold decides under strict alone, with the mask of the second pass', async () => {
  const images: ImageRecord[] = [];
  await evaluate({ rejectThreshold: 0.2, onImage: (image) => images.push(image) });
  const all = images.flatMap(({ records }) => records);
  for (const r of all) {
    const p = r.rejectProbability ?? NaN;
    expect(r.answer).toBe(p >= (r.protocol === 'strict' ? 0.2 : 0.5) ? 'absent' : 'found');
  }
  const strict = all.filter(({ protocol }) => protocol === 'strict');
  const before = wholeFile.images.flatMap(({ records }) => records).filter(({ protocol }) => protocol === 'strict');
  expect(strict.map(({ answer }) => answer)).not.toEqual(before.map(({ answer }) => answer));
  // Accepting everything scores as the second pass does.
  const accepted: ImageRecord[] = [];
  await evaluate({ rejectThreshold: 1, protocols: ['strict', 'reference'], onImage: (image) => accepted.push(image) });
  for (const { records } of accepted) {
    const half = records.length / 2;
    for (let i = 0; i < half; i++) {
      const [s, r] = [records[i], records[i + half]];
      if (s?.targetIsEmpty === false) expect([s.answer, s.iou, s.mask]).toEqual(['found', r?.iou, r?.mask]);
    }
  }
});
