/** Who is at fault: dead, silent, standing still, or nobody; waiting for others is no fault. */
import { describe, expect, test } from '@jest/globals';
import { judge, type RankStatus } from '../../../src/training/distributed/watch-judge.js';

const NOW = 1000;
const TIMEOUT = 10;

function statuses(...changes: Partial<RankStatus>[]): RankStatus[] {
  return changes.map((change, rank) => ({
    ...{ rank, host: `node${rank}`, pid: 100 + rank, isConnected: true, hasLeft: false, failure: null },
    ...{ update: 6, isWaiting: false, progress: 1, heardAt: NOW - 1, progressAt: NOW - 1 },
    ...change,
  }));
}

describe('judge', () => {
  test.each<[string, Partial<RankStatus>[]]>([
    ['all get on', [{}, {}]],
    ['one waits long for another that gets on', [{ isWaiting: true, progressAt: NOW - 500 }, {}]],
    ['one has left and closed its connection', [{}, { hasLeft: true, isConnected: false, heardAt: 0 }]],
    ['all have left', [{ hasLeft: true }, { hasLeft: true }]],
    ['all wait, the last one not for long', [{ isWaiting: true, progressAt: NOW - 500 }, { isWaiting: true }]],
  ])('finds nothing where %s', (_name, changes) => {
    expect(judge(statuses(...changes), NOW, TIMEOUT)).toBeNull();
  });

  test.each<[string, Partial<RankStatus>, RegExp]>([
    ['is dead', { isConnected: false }, /rank 1 on node1, in update 7, is dead.*process 101/],
    [
      'has failed',
      { failure: 'no such file', isConnected: false },
      /rank 1 on node1, in update 7, failed: no such file/,
    ],
    ['is silent', { heardAt: NOW - 11 }, /rank 1 on node1, in update 7, hangs: no sign of life for 11 s/],
    ['stands still', { progressAt: NOW - 12 }, /rank 1 on node1, in update 7, hangs: it runs, but .* for 12 s/],
  ])('names the rank that %s, not those that wait for it', (_name, change, message) => {
    const fault = judge(statuses({ isWaiting: true, progressAt: NOW - 12 }, change), NOW, TIMEOUT);
    expect(fault?.rank).toBe(1);
    expect(fault?.message).toMatch(message);
  });

  test('blames the network where all wait for each other', () => {
    const waits = { isWaiting: true, progressAt: NOW - 11 };
    expect(judge(statuses(waits, waits), NOW, TIMEOUT)).toMatchObject({
      rank: -1,
      message: expect.stringMatching(/node0, node1/),
    });
  });
});
