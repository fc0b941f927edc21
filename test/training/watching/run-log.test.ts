/** The run log: what is written is read back, a torn last line is left out, other files are refused by line. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UserError } from '../../../src/errors.js';
import { RunLog, readRunLog, type UpdateRecord } from '../../../src/training/watching/run-log.js';
import { newRunDir } from '../toy-tasks.js';

function update(number: number, loss = 1 / number): UpdateRecord {
  return {
    type: 'update',
    update: number,
    epoch: number / 10,
    learningRate: 0.1,
    losses: { loss },
    gradNorm: 2,
    seconds: 0.5,
    elapsedSeconds: number / 2,
    samplesPerSecond: 4,
    numTensors: 9,
  };
}

function newLogPath(): string {
  const path = join(newRunDir(), 'log.jsonl');
  mkdirSync(dirname(path));
  return path;
}

describe('RunLog', () => {
  test('gives back what was written, line by line', () => {
    const path = newLogPath();
    const log = RunLog.create(path, { config: { a: 1 }, engine: 'cpu' });
    log.append(update(1));
    log.append({
      type: 'validation',
      update: 1,
      epoch: 0.1,
      metrics: { gIoU: NaN, cIoU: 0.5 },
      seconds: 1,
      isBest: true,
    });
    log.append(update(2));
    log.close();
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(5);
    const history = readRunLog(path);
    expect(history.header).toEqual({ type: 'header', config: { a: 1 }, engine: 'cpu' });
    expect(history.updates).toEqual([update(1), update(2)]);
    expect(history.validations[0]?.metrics).toEqual({ gIoU: NaN, cIoU: 0.5 });
    expect(history.records.map(({ type }) => type)).toEqual(['header', 'update', 'validation', 'update']);
  });

  test('figures of parts and alarms are read back; a ratio that was none is NaN', () => {
    const path = newLogPath();
    const log = RunLog.create(path, {});
    const parts = { lm_head: { gradNorm: 0.5, updateRatio: NaN } };
    const alarm = { type: 'alarm', update: 1, kind: 'no gradient', part: 'lm_head', message: 'look' } as const;
    log.append({ ...update(1), parts });
    log.append(alarm);
    log.append({ ...alarm, update: 2, kind: 'flat loss', part: null });
    log.close();
    const { updates, alarms } = readRunLog(path);
    expect(updates[0]?.parts).toEqual(parts);
    expect(alarms).toEqual([alarm, { ...alarm, update: 2, kind: 'flat loss', part: null }]);
    // A resumed run keeps the alarms before its checkpoint.
    RunLog.resume(path, {}, 1).close();
    expect(readRunLog(path).alarms).toEqual([alarm]);
  });

  test('resuming drops what lies behind the checkpoint and a torn line', () => {
    const path = newLogPath();
    const log = RunLog.create(path, {});
    for (const number of [1, 2, 3, 4]) log.append(update(number));
    log.close();
    writeFileSync(path, '{"type":"upda', { flag: 'a' });
    expect(readRunLog(path).updates).toHaveLength(4);
    const resumed = RunLog.resume(path, { engine: 'wasm' }, 2);
    resumed.append(update(3, 7));
    resumed.close();
    const history = readRunLog(path);
    expect(history.updates).toEqual([update(1), update(2), update(3, 7)]);
    expect(history.records[3]).toEqual({ type: 'resume', update: 2, engine: 'wasm' });
  });

  test('a log that is not there is started by resuming', () => {
    const path = newLogPath();
    RunLog.resume(path, { a: 1 }, 5).close();
    expect(readRunLog(path).header).toEqual({ type: 'header', a: 1 });
  });

  test.each([
    ['', 'not a header'],
    ['{"type":"update"}\n', 'line 1'],
    ['{"type":"header"}\nnot json\n', 'line 2'],
    ['{"type":"header"}\n[1]\n', 'line 2'],
    ['{"type":"header"}\n{"type":"party","update":1}\n', 'party'],
    ['{"type":"header"}\n{"type":"alarm","update":1,"kind":"fire","part":null,"message":"run"}\n', 'alarm'],
    [`{"type":"header"}\n${JSON.stringify({ ...update(1), parts: { a: { gradNorm: 1 } } })}\n`, 'line 2'],
    ['{"type":"header"}\n{"type":"validation","update":1,"metrics":{"a":"b"}}\n', 'line 2'],
  ])('refuses %j', (text, word) => {
    const path = newLogPath();
    writeFileSync(path, text);
    expect(() => readRunLog(path)).toThrow(UserError);
    expect(() => readRunLog(path)).toThrow(word);
    expect(() => readRunLog(path)).toThrow('log.jsonl');
  });

  test('a missing file is a UserError that names it', () => {
    expect(() => readRunLog('/nowhere/log.jsonl')).toThrow('/nowhere/log.jsonl');
  });

  test('any text at all is read or refused with a UserError', () => {
    const path = newLogPath();
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({
          type: fc.constantFrom('header', 'update', 'validation', 'end'),
          update: fc.jsonValue(),
          metrics: fc.jsonValue(),
        })
        .map((record) => JSON.stringify(record)),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        writeFileSync(path, lines.join('\n'));
        try {
          readRunLog(path);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
  });
});
