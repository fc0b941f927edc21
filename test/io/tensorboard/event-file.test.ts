/** Event files are what TensorBoard reads: by our own reader, which checks every CRC, and by TensorBoard's. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UserError } from '../../../src/errors.js';
import { encodePng } from '../../../src/io/image/image-file.js';
import { EventFile, crc32c, maskedCrc32c } from '../../../src/io/tensorboard/event-file.js';
import { encodeEvent } from '../../../src/io/tensorboard/event.js';
import { readEvents, slowMaskedCrc } from '../../helpers/event-reader.js';
import { TENSORBOARD_PYTHON, readWithTensorBoard } from '../../helpers/tensorboard.js';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'gsva-events-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const PNG = encodePng({ data: new Uint8Array(3 * 6).fill(200), height: 2, width: 3 });

/** A run of updates 1 to `last` and one that goes on after `resumeAt`, up to `end`. */
async function twoSessions(last: number, resumeAt: number, end: number): Promise<void> {
  const first = EventFile.create(dir, 0);
  first.append(0, { kind: 'text', tag: 'run', text: 'über *alles*' });
  for (let step = 1; step <= last; step++) {
    first.append(step, { kind: 'scalars', values: { 'loss/total': step / 8, odd: step === 2 ? NaN : 1e40 } });
    first.append(step, { kind: 'picture', tag: 'samples/1', png: await PNG });
  }
  first.close();
  const second = EventFile.create(dir, resumeAt + 1);
  for (let step = resumeAt + 1; step <= end; step++) {
    second.append(step, { kind: 'scalars', values: { 'loss/total': -step } });
  }
  second.close();
}

/** Steps and values of the total loss after `twoSessions(5, 3, 6)`: 4 and 5 of the first session are forgotten. */
const EXPECTED = [
  [1, 1 / 8],
  [2, 2 / 8],
  [3, 3 / 8],
  [4, -4],
  [5, -5],
  [6, -6],
] as const;

describe('crc32c', () => {
  test('has the published check values', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });

  test('agrees with the calculation bit by bit, masked', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(maskedCrc32c(bytes)).toBe(slowMaskedCrc(bytes));
      }),
      { seed: 1 },
    );
  });
});

describe('EventFile', () => {
  test('begins with its version and a start, then has what was appended, every CRC right', async () => {
    await twoSessions(5, 3, 6);
    const files = readdirSync(dir).sort();
    expect(files).toHaveLength(2);
    const [first, second] = files.map((name) => readEvents(readFileSync(join(dir, name))));
    expect(first?.[0]).toMatchObject({ step: 0, version: 'brain.Event:2' });
    expect(first?.[1]).toMatchObject({ step: 0, session: 1 });
    expect(first?.[2]?.texts).toEqual({ run: 'über *alles*' });
    expect(first?.[3]).toMatchObject({ step: 1, scalars: { 'loss/total': 0.125, odd: Infinity } });
    expect(first?.[4]?.pictures['samples/1']).toEqual({ size: [2, 3], png: await PNG });
    expect(first?.[5]?.scalars['odd']).toBeNaN();
    expect(first).toHaveLength(3 + 2 * 5);
    expect(second?.[1]).toMatchObject({ step: 4, session: 1 });
    expect(second?.slice(2).map(({ scalars }) => scalars['loss/total'])).toEqual([-4, -5, -6]);
  });

  test('any step and value is read back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.dictionary(fc.string({ minLength: 1 }), fc.float(), { noNullPrototype: true }),
        (step, values) => {
          const path = join(dir, 'one');
          const data = encodeEvent(1.5, step, { kind: 'scalars', values });
          const head = Buffer.alloc(12);
          head.writeBigUInt64LE(BigInt(data.length));
          head.writeUInt32LE(slowMaskedCrc(head.subarray(0, 8)), 8);
          const foot = Buffer.alloc(4);
          foot.writeUInt32LE(slowMaskedCrc(data));
          writeFileSync(path, Buffer.concat([head, data, foot]));
          expect(readEvents(readFileSync(path))).toEqual([{ step, scalars: values, pictures: {}, texts: {} }]);
        },
      ),
      { seed: 2 },
    );
  });

  test('names are in the order of the files, also within a second and when the clock was set back', () => {
    const future = 'events.out.tfevents.9000000000.elsewhere.1';
    writeFileSync(join(dir, future), '');
    const paths = [0, 1, 2].map((step) => {
      const file = EventFile.create(dir, step);
      file.close();
      return basename(file.path);
    });
    expect([future, ...paths]).toEqual([...readdirSync(dir)].sort());
    expect(paths[0]).toMatch(/^events\.out\.tfevents\.9000000001\./);
  });

  test('a folder that cannot be written is a UserError that names it', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => EventFile.create(join(dir, 'file'), 0)).toThrow(UserError);
    expect(() => EventFile.create(join(dir, 'file'), 0)).toThrow(join(dir, 'file'));
  });
});

(TENSORBOARD_PYTHON === null ? describe.skip : describe)('TensorBoard reads', () => {
  test('scalars, text and pictures of both sessions; what the second one does anew is forgotten', async () => {
    await twoSessions(5, 3, 6);
    const view = readWithTensorBoard(dir);
    expect(view.scalars['loss/total']).toEqual(EXPECTED);
    expect(view.server['loss/total']).toEqual(EXPECTED);
    expect(view.scalars['odd']).toEqual([
      [1, 'inf'],
      [2, 'nan'],
      [3, 'inf'],
    ]);
    const png = (await PNG).toString('hex');
    expect(view.images['samples/1']).toEqual([1, 2, 3].map((step) => [step, 3, 2, png]));
    expect(view.serverImages['samples/1']).toEqual([1, 2, 3].map((step) => [step, ['3', '2']]));
    expect(view.texts['run']).toEqual([[0, 'über *alles*']]);
    expect(view.serverTexts['run']).toEqual([[0, 'über *alles*']]);
  });

  test('everything before the place where a killed process stopped writing', async () => {
    await twoSessions(5, 3, 6);
    const [, second = ''] = readdirSync(dir).sort();
    truncateSync(join(dir, second), readFileSync(join(dir, second)).length - 5);
    const third = EventFile.create(dir, 6);
    third.append(6, { kind: 'scalars', values: { 'loss/total': 60 } });
    third.close();
    const expected = [...EXPECTED.slice(0, 5), [6, 60]];
    const view = readWithTensorBoard(dir);
    expect(view.scalars['loss/total']).toEqual(expected);
    expect(view.server['loss/total']).toEqual(expected);
  });
});
