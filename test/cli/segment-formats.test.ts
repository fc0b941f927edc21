/** `gsva segment --format`: what is written reads back as the same masks; combinations that mean nothing are refused. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startEngine } from '../../src/engine/engine.js';
import { type CocoRle, pngToMask, polygonsToMask, rleToMask } from '../../src/index.js';
import type { BinaryMask } from '../../src/types.js';
import { type CliResult, runCli } from '../helpers/run-cli.js';

const folder = mkdtempSync(join(tmpdir(), 'gsva-formats-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const picture = join(folder, 'pictures', 'scene.3.jpg');

const segment = (...options: string[]): Promise<CliResult> =>
  runCli([
    'segment',
    '--engine',
    'wasm',
    '--image',
    picture,
    '--expressions',
    'purple circle',
    'both red shapes',
    ...options,
  ]);

interface JsonReply {
  readonly results: readonly { readonly expression: string; readonly mask: CocoRle | null; readonly area: number }[];
  readonly written: readonly string[];
}
let masks: BinaryMask[] = [];

beforeAll(async () => {
  mkdirSync(join(folder, 'pictures'));
  cpSync('data/samples/scene-3.jpg', picture);
  await startEngine({ engine: 'wasm' });
  const { stdout } = await segment('--json', '--out', join(folder, 'png'));
  const reply = JSON.parse(stdout) as JsonReply;
  masks = reply.results.map(({ mask }) => rleToMask(mask as CocoRle));
  expect(reply.results.map(({ area }) => area)).toEqual(
    masks.map(({ data }) => data.reduce((sum, value) => sum + value, 0)),
  );
});

const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

/** The masks of a file of own data, in the order of the expressions asked for. */
function imported(path: string): BinaryMask[] {
  const line = json(path) as {
    width: number;
    height: number;
    expressions: { text: string; mask: { polygons: number[][] } }[];
  };
  return ['purple circle', 'both red shapes'].map((expression) => {
    const { mask } = line.expressions.find(({ text }) => text === expression) ?? { mask: { polygons: [] } };
    return polygonsToMask(mask.polygons, line.height, line.width);
  });
}

describe('what is written is what was found', () => {
  test('--json and PNG files', () => {
    expect([1, 2].map((number) => pngToMask(join(folder, 'png', `mask-0${number}.png`)))).toEqual(masks);
  });

  test('COCO, in a folder and as a file, read by data import coco', async () => {
    const { code, stdout } = await segment('--format', 'coco', '--out', join(folder, 'coco'), '--json');
    expect(code).toBe(0);
    const file = join(folder, 'coco', 'instances.json');
    expect((JSON.parse(stdout) as JsonReply).written).toEqual([file]);
    await segment('--format', 'coco', '--out', join(folder, 'found.json'));
    expect(json(join(folder, 'found.json'))).toEqual(json(file));
    const target = join(folder, 'coco.jsonl');
    const { code: read } = await runCli([
      'data',
      'import',
      'coco',
      file,
      '--images',
      join(folder, 'pictures'),
      '--out',
      target,
    ]);
    expect(read).toBe(0);
    expect(imported(target)).toEqual(masks);
  });

  test('LabelMe, read by data import labelme, which finds the picture by its path', async () => {
    expect((await segment('--format', 'labelme', '--out', join(folder, 'labelme'))).code).toBe(0);
    const file = join(folder, 'labelme', 'scene.3.json');
    expect(json(file)).toMatchObject({ imagePath: '../pictures/scene.3.jpg', imageHeight: 133, imageWidth: 126 });
    const target = join(folder, 'labelme.jsonl');
    expect((await runCli(['data', 'import', 'labelme', join(folder, 'labelme'), '--out', target])).code).toBe(0);
    expect(imported(target)).toEqual(masks);
  });

  test('GeoJSON', async () => {
    expect((await segment('--format', 'geojson', '--out', join(folder, 'geo'))).code).toBe(0);
    const { features } = json(join(folder, 'geo', 'scene.3.geojson')) as {
      features: { geometry: { coordinates: [number, number][][][] } }[];
    };
    const again = features.map(({ geometry }) => {
      const outer = geometry.coordinates.map(([ring = []]) => ring.slice(0, -1).flat());
      return polygonsToMask(outer, 133, 126);
    });
    expect(again).toEqual(masks);
  });

  test('YOLO: a folder with data.yaml, the picture and its labels', async () => {
    expect((await segment('--format', 'yolo', '--out', join(folder, 'yolo'))).code).toBe(0);
    expect(readdirSync(join(folder, 'yolo'))).toEqual(['data.yaml', 'images', 'labels']);
    expect(readFileSync(join(folder, 'yolo', 'images', 'scene.3.jpg')).equals(readFileSync(picture))).toBe(true);
    const lines = readFileSync(join(folder, 'yolo', 'labels', 'scene.3.txt'), 'utf8')
      .trim()
      .split('\n');
    const again = masks.map((_, number) => {
      const own = lines.map((line) => line.split(' ').map(Number)).filter(([first]) => first === number);
      const polygons = own.map(([, ...shares]) => shares.map((share, i) => share * (i % 2 === 0 ? 126 : 133)));
      return polygonsToMask(polygons, 133, 126);
    });
    expect(again).toEqual(masks);
  });
});

describe('refused by name, with nothing written', () => {
  test.each([
    [['--format', 'coco'], '--format coco says how --out is written; name a file or a folder as --out', 2],
    [['--format', 'coco', '--out', 'x.png'], 'coco takes NAME.json or a folder (.png goes with --format png)', 2],
    [['--format', 'yolo', '--out', 'x.txt'], 'yolo takes a folder', 2],
    [['--format', 'labelme', '--out', 'x.geojson'], 'labelme takes NAME.json or a folder (.geojson goes with', 2],
    [['--format', 'png', '--out', 'x.json'], 'a name in .json needs --format coco or labelme or geojson', 2],
    [['--out', 'x.geojson'], 'a name in .geojson needs --format geojson', 2],
    [['--format', 'svg', '--out', 'x'], 'png, coco, labelme, geojson, yolo', 2],
  ])('%j', async (options, message, expected) => {
    const { code, stderr } = await segment(...options.map((option) => option.replace(/^x/, join(folder, 'x'))));
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
    expect(readdirSync(folder).filter((name) => name.startsWith('x'))).toEqual([]);
  });

  test('a file that exists and a folder that holds something stay as they are', async () => {
    const file = join(folder, 'own.json');
    writeFileSync(file, 'mine');
    const { code, stderr } = await segment('--format', 'labelme', '--out', file);
    expect([code, stderr]).toEqual([1, expect.stringContaining('own.json exists; --format labelme replaces nothing')]);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    const held = await segment('--format', 'coco', '--out', join(folder, 'pictures'));
    expect([held.code, held.stderr]).toEqual([1, expect.stringContaining('is not empty')]);
    expect(existsSync(picture)).toBe(true);
  });
});
