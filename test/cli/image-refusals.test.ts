/** Pictures that no command can decode are problems where only their headers are read: validate and import. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { crc32 } from 'node:zlib';
import { runCli } from '../helpers/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-refusals-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A PNG of 108 million pixels, as far as its header. */
function hugePng(): Buffer {
  const header = Buffer.alloc(25);
  header.writeUInt32BE(13);
  header.write('IHDR', 4, 'latin1');
  header.writeUInt32BE(12_000, 8);
  header.writeUInt32BE(9_000, 12);
  header.set([8, 2], 16);
  header.writeUInt32BE(crc32(header.subarray(4, 21)), 21);
  const data = Buffer.from('0000000049444154', 'hex');
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), header, data, Buffer.alloc(4)]);
}

const PICTURES: readonly [name: string, bytes: Buffer, message: string][] = [
  [
    'phone.heic',
    Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(64)]),
    'HEIC (compressed as hevc) is not supported; convert it to JPEG or PNG',
  ],
  ['huge.png', hugePng(), 'it has 12000 x 9000 pixels, at most 100 million are allowed'],
];

beforeAll(() => {
  for (const [name, bytes] of PICTURES) writeFileSync(join(folder, name), bytes);
});

test.each(PICTURES)('%s: data validate', async (name, _, message) => {
  const file = join(folder, 'data.jsonl');
  const polygons = [[1, 1, 9, 1, 9, 9]];
  writeFileSync(file, JSON.stringify({ image: name, expressions: [{ text: 'it', mask: { polygons } }] }));
  const { code, stdout, stderr } = await runCli(['data', 'validate', file]);
  expect(code).toBe(1);
  expect(stdout + stderr).toContain(message);
});

test.each(PICTURES)('%s: data import labelme', async (name, _, message) => {
  const own = join(folder, `${name}.labelme`);
  mkdirSync(own);
  const points = [
    [1, 1],
    [9, 1],
    [9, 9],
  ];
  const shapes = [{ label: 'it', points, shape_type: 'polygon' }];
  writeFileSync(join(own, 'a.json'), JSON.stringify({ imagePath: `../${name}`, shapes }));
  const { code, stdout, stderr } = await runCli(['data', 'import', 'labelme', own, '--out', join(own, 'data.jsonl')]);
  expect(code).toBe(1);
  expect(stdout + stderr).toContain(message);
});

test.each(PICTURES)('%s: segment', async (name, _, message) => {
  const { code, stderr } = await runCli([
    ...['segment', '--engine', 'wasm', '--image', join(folder, name)],
    ...['--expressions', 'it'],
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain(message);
});
