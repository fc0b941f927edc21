/** `gsva chat` from a pipe: questions, commands, refusals, files, JSON. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import * as tf from '../../src/engine/tf.js';
import { type CocoRle, pngToMask, rleToMask } from '../../src/index.js';
import { fixture } from '../helpers/fixtures.js';
import { type CliResult, runCli } from '../helpers/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-chat-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const picture = 'data/samples/scene-3.jpg';
const QUESTION = 'What are purple circle, yellow circle in this image? Please output segmentation masks.';

function chat(lines: readonly string[], ...options: string[]): Promise<CliResult> {
  return runCli(['chat', '--engine', 'wasm', ...options], { input: lines.join('\n') });
}

interface JsonReply {
  readonly image?: string;
  readonly question?: string;
  readonly answer?: string;
  readonly findings?: readonly { readonly status: string; readonly mask: CocoRle | null; readonly text: string }[];
  readonly read?: number;
  readonly left?: number;
  readonly written?: readonly string[];
  readonly error?: { readonly code: string; readonly message: string };
}

function replies({ stdout }: CliResult): JsonReply[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonReply);
}

test('questions, commands and refusals of a script, to the end of the file', async () => {
  const saved = join(folder, 'saved');
  const lines = ['What?', '/image /none.png', `/image "${picture}"`, '/save', QUESTION, `/save ${saved}`];
  const more = [`/save ${saved}`, '/sve', '', '/history now', '/image', 'What is </s>?', '/history', '/help'];
  const { code, stdout, stderr } = await chat([...lines, ...more]);
  expect(code).toBe(1); // some lines failed
  expect(stdout).toMatch(/purple circle.* \[SEG\].*yellow circle.* \[REJ\]/);
  expect(stdout).toMatch(/purple circle is +segmented +\d+ /);
  expect(stdout).toMatch(/yellow circle is +rejected +[01]\.\d\d\n/);
  expect(stdout).toContain(`\n1. ${QUESTION}\n   `);
  expect(stdout).toContain('/save [FOLDER]   write the masks');
  expect(stdout).not.toContain('> ');
  const messages = [
    'there is no picture yet. Name one: /image PATH.',
    '/none.png: no such file; /image takes an existing file',
    'Saving masks: nothing has been asked yet.',
    `Saving masks: ${saved} exists. Name a new folder.`,
    'There is no command /sve (did you mean "/save"?). /help lists them.',
    '/history stands alone; found "now" behind it.',
    '/image needs the PATH of a picture.',
    'the question contains </s>, which the model reads as a token of its own.',
  ];
  let at = 0;
  for (const message of messages) {
    expect(stderr.slice(at)).toContain(message);
    at = stderr.indexOf(message, at);
  }
  expect(readdirSync(saved).sort()).toEqual(['mask-01.png', 'overlay.png']);
  const mask = pngToMask(join(saved, 'mask-01.png'));
  expect(mask.data.reduce((sum, inside) => sum + inside, 0)).toBeGreaterThan(300);
});

test('--json: an object per answer; rounds are read once; --out writes the masks of each', async () => {
  const out = join(folder, 'out');
  const tensors = tf.memory().numTensors;
  const options = ['--image', picture, '--out', out, '--json', '--max-tokens', '24'];
  const result = await chat([QUESTION, 'red circle', '/new', QUESTION, 'What is [SEG]?', '/quit', 'never'], ...options);
  expect(tf.memory().numTensors).toBe(tensors);
  const [first, second, again, refused, ...others] = replies(result) as [JsonReply, JsonReply, JsonReply, JsonReply];
  expect(others).toEqual([]);
  expect(first).toMatchObject({ image: picture, question: QUESTION });
  expect(second.read).toBeLessThan((first.read ?? 0) - 64);
  expect(second.left).toBeLessThan(first.left ?? 0);
  expect(again).toMatchObject({ answer: first.answer, findings: first.findings, left: first.left });
  expect(again.read).toBeLessThan((first.read ?? 0) - 64);
  expect(refused).toMatchObject({ question: 'What is [SEG]?', error: { code: 'bad-expression' } });
  expect(first.written).toEqual([join(out, '01', 'overlay.png'), join(out, '01', 'mask-01.png')]);
  const [rle] = first.findings?.flatMap(({ mask }) => (mask === null ? [] : [mask])) ?? [];
  expect(rle && rleToMask(rle)).toEqual(pngToMask(join(out, '01', 'mask-01.png')));
  expect(readdirSync(out)).toContain('03');
});

test('a script without faults ends with 0; the masks of a picture before are not written', async () => {
  const { code, stdout } = await chat([QUESTION, '/new', '/image data/samples/scene-1.jpg'], '--image', picture);
  expect(code).toBe(0);
  expect(stdout).toContain('segmented');
  expect(existsSync('chat')).toBe(false);
});

test('an answer that is cut is reported, with the way out', async () => {
  const { stderr } = await chat([QUESTION], '--image', picture, '--max-tokens', '3');
  expect(stderr).toContain('the answer is cut off; --max-tokens allows longer ones');
});

test('wrong options are refused before a model is loaded', async () => {
  const missing = await chat([], '--image', '/none.jpg');
  expect(missing).toMatchObject({ code: 1, stdout: '' });
  expect(missing.stderr).toContain('gsva chat: /none.jpg: no such file; --image takes an existing file');
  expect(await chat([], '--max-tokens', '0')).toMatchObject({ code: 2 });
  const base = await runCli(['chat', '--engine', 'wasm', '--model', 'checkpoints/tiny-base']);
  expect(base.stderr).toContain('Chatting: checkpoints/tiny-base has not learned its decision tokens yet');
});

test('an aborted program ends with 130', async () => {
  const { code, stderr } = await runCli(['chat', '--engine', 'wasm', '--image', picture], {
    input: QUESTION,
    signal: AbortSignal.abort(),
  });
  expect({ code, last: stderr.trimEnd().split('\n').at(-1) }).toEqual({ code: 130, last: 'gsva chat: stopped' });
});

interface RecordedChat {
  readonly picture: string;
  readonly question: string;
  readonly max_new_tokens: number;
  /** Prompt and answer. */
  readonly printed: string;
  readonly masks: readonly CocoRle[];
}

test('LISA answers as its own program has, and goes on; smaller masks than 50 pixels are absent', async () => {
  const file = fixture('checkpoints-tiny-lisa', 'expected.json');
  const recorded = (JSON.parse(readFileSync(file, 'utf8')) as { chat: RecordedChat[] }).chat;
  expect(recorded.length).toBeGreaterThan(1);
  for (const { picture: name, question, max_new_tokens: most, printed, masks } of recorded) {
    const folders = [
      '--mllm',
      fixture('checkpoints-tiny-lisa', 'lisa'),
      '--vision-tower',
      fixture('checkpoints-tiny-lisa', 'clip'),
    ];
    const sizes = ['--set', 'sam.decoder_heads=4', '--max-tokens', String(most), '--json'];
    const path = fixture('datasets', 'data', name);
    const [first, second] = replies(await chat([question, 'Why?'], ...folders, ...sizes, '--image', path));
    const answer = printed.split('ASSISTANT:').at(-1)?.replace('</s>', '').trim();
    expect(first?.answer?.trim()).toBe(answer);
    expect(first?.findings).toHaveLength(masks.length);
    for (const [i, { status, mask }] of (first?.findings ?? []).entries()) {
      const { data } = rleToMask(masks[i] as CocoRle);
      const area = data.reduce((sum, inside) => sum + inside, 0);
      expect(status).toBe(area < 50 ? 'rejected' : 'segmented');
      const differing =
        mask === null ? 0 : rleToMask(mask).data.filter((inside, pixel) => inside !== data[pixel]).length;
      expect(differing).toBeLessThanOrEqual(2);
    }
    expect(second?.read).toBeLessThan(100);
  }
});
