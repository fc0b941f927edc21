/** Progress: a bar on a terminal, sparse plain lines elsewhere. */
import { describe, expect, test } from '@jest/globals';
import { ProgressBar } from '../../src/cli/progress.js';
import { duration } from '../../src/workflows/watch.js';
import { TextBuffer } from '../helpers/run-cli.js';

describe('ProgressBar', () => {
  test('without a terminal: a line every ten seconds with percentage, time left and note, and one at the end', () => {
    const stream = new TextBuffer();
    let time = 0;
    const bar = new ProgressBar(stream, 'train', 200, { drawBar: false, now: () => time });
    for (let done = 1; done <= 200; done++) {
      time += 125;
      bar.update(done, `loss ${done}`);
    }
    bar.stop();
    bar.stop();
    bar.update(1);
    expect(stream.text).toBe(
      'train: 40 % (80/200), 15 s left, loss 80\n' +
        'train: 80 % (160/200), 5 s left, loss 160\n' +
        'train: 100 % (200/200), 25 s taken, loss 200\n',
    );
  });

  test('on a terminal: a bar that is redrawn and cleared up', () => {
    const stream = new TextBuffer(true);
    const bar = new ProgressBar(stream, 'eval', 4, { drawBar: true });
    bar.update(4, 'gIoU 0.6');
    bar.stop();
    expect(stream.text).toContain('eval');
    expect(stream.text).toContain('100 %');
    expect(stream.text).toContain('gIoU 0.6');
  });

  test('more than the total, or no total, stays within bounds', () => {
    const stream = new TextBuffer();
    const bar = new ProgressBar(stream, 'x', 0, { drawBar: false, now: () => 0 });
    bar.update(5);
    bar.stop();
    expect(stream.text).toBe('x: 100 % (1/1), 0 s taken\n');
  });
});

test('duration reads as people say it', () => {
  expect([0, 42.4, 192, 7500].map(duration)).toEqual(['0 s', '42 s', '3 min 12 s', '2 h 5 min']);
});
