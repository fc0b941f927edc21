/** The pretraining mixture: the same bytes for the same seed, read by the published sets' loaders, true of its scenes. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openEvaluatedSet, openTrainingSet } from '../../src/data/dataset-registry.js';
import type { EvaluatedDataset } from '../../src/data/refer/refer-dataset.js';
import { encodeMask, rleIou } from '../../src/data/masks/coco-mask.js';
import { makeSample } from '../../src/data/sampling/load-sample.js';
import { targetsOf } from '../../src/synthetic/expressions.js';
import { type Scene, synthScene, visibleMask } from '../../src/synthetic/scene.js';
import { COLOURS, SHAPES } from '../../src/synthetic/shapes.js';
import { writeSynthDataset } from '../../src/synthetic/writer.js';
import { readTokenizer } from '../../src/data/read-tokenizer.js';
import { readVqaQuestions } from '../../src/data/vqa/llava-instruct.js';
import { Random } from '../../src/random.js';
import { taught } from '../helpers/taught-sample.js';

const SEED = 7;
const ALONE = { seed: SEED, trainImages: 2, valImages: 1, testAImages: 0, testBImages: 0 };
const OPTIONS = { ...ALONE, mixture: { train: 6, val: 3 } };
const scratch = mkdtempSync(join(tmpdir(), 'gsva-mixture-'));
const dir = join(scratch, 'set');
const progress: number[] = [];

beforeAll(async () => {
  await writeSynthDataset(dir, OPTIONS, (done, total) => progress.push(done / total));
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

/** Path → hash of every file below a folder. */
function hashes(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(
    paths.map((path) => [path.slice(folder.length + 1), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}

const evaluated = (name: string, split: string): Promise<EvaluatedDataset> =>
  openEvaluatedSet(name, dir, split, { honourIgnore: true });

/** The number that the scene's picture has in its name. */
const sceneNumber = (fileName: string): number => Number(/(\d{6})\.jpg$/.exec(fileName)?.[1]);

test('the same options give the same bytes; no picture twice; progress ends with all', async () => {
  await writeSynthDataset(join(scratch, 'again'), OPTIONS);
  const written = hashes(dir);
  expect(hashes(join(scratch, 'again'))).toEqual(written);
  const pictures = [...written].filter(([path]) => path.endsWith('.jpg'));
  expect(pictures).toHaveLength(3 + 4 * 9);
  expect(new Set(pictures.map(([, hash]) => hash)).size).toBe(pictures.length);
  expect([progress[0], progress.at(-1)]).toEqual([0, 1]);
});

test('gRefCOCO beside it is what it is without a mixture', async () => {
  await writeSynthDataset(join(scratch, 'alone'), ALONE);
  const written = hashes(dir);
  for (const [path, hash] of hashes(join(scratch, 'alone')))
    if (path !== 'synth.json') expect(written.get(path)).toBe(hash);
});

describe('the loaders of the published sets read it', () => {
  const SETS = ['mapillary', 'refcoco', 'llava_instruct_150k', 'reason_seg'];

  test.each(SETS)('%s: as many images as asked for, every one a sample', async (name) => {
    const set = openTrainingSet(name, dir);
    expect(set.length).toBe(6);
    for (let index = 0; index < set.length; index++) {
      const sample = await taught(makeSample)(set.requestAt(index), new Random(index), {
        perSample: 4,
        absentClasses: 0,
      });
      const conversations = sample === null ? [] : [sample, ...(sample.others ?? [])];
      expect(conversations.length).toBeGreaterThan(0);
      for (const { targets, turns } of conversations) {
        const tokens = turns.flatMap(({ assistant }) => [...(assistant ?? '').matchAll(/\[(SEG|REJ)\]/g)]);
        expect(tokens.map(([token]) => token)).toEqual(targets.map(() => '[SEG]'));
        if (set.kind === 'vqa') expect(targets).toEqual([]);
      }
    }
  });

  test('every text can be written with the small tokenizer, nothing lost', async () => {
    const tokenizer = readTokenizer('configs/tokenizers/synth');
    for (const name of SETS) {
      const set = openTrainingSet(name, dir);
      for (let index = 0; index < set.length; index++) {
        const sample = await taught(makeSample)(set.requestAt(index), new Random(index), {
          perSample: 9,
          absentClasses: 0,
        });
        for (const { turns } of sample === null ? [] : [sample, ...(sample.others ?? [])]) {
          for (const text of turns.flatMap(({ user, assistant }) => [user, assistant ?? ''])) {
            const ids = tokenizer.encode(text, { addBos: false });
            expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(text);
          }
        }
      }
    }
  });

  test('SemSeg: the classes are colour and shape, their masks all such objects of the scene', async () => {
    const { images, targets } = await held('mapillary', 'validation');
    for (const image of images) {
      const scene = synthScene(SEED, 'sem-seg-val', sceneNumber(image.fileName));
      const found = targets(image);
      expect(new Set(found.map(({ expression }) => expression))).toEqual(
        new Set(scene.objects.map(({ colour, shape }) => `${colour} ${shape}`)),
      );
      for (const { expression, mask, form } of found) {
        expect(mask).toEqual(visibleMask(scene, named(scene, expression)));
        // Asked together, as they are trained on: no question of their own.
        expect(form).toBeUndefined();
      }
    }
  });

  test('RES: one object each, the one that the expression names', async () => {
    const { images, targets } = await held('refcoco', 'val');
    for (const image of images) {
      const scene = synthScene(SEED, 'res-val', sceneNumber(image.fileName));
      for (const { expression, isEmpty, mask } of targets(image)) {
        const overlaps = scene.objects.map((_, i) => rleIou(encodeMask(mask), encodeMask(visibleMask(scene, [i]))));
        const object = scene.objects[overlaps.indexOf(Math.max(...overlaps))];
        expect([isEmpty, Math.max(...overlaps) > 0.9]).toEqual([false, true]);
        // The first noun is the target's; an anchor comes after "the".
        const [own = ''] = expression.split(' the ');
        expect(SHAPES.filter((shape) => own.includes(shape))).toEqual([object?.shape]);
        const colours = COLOURS.filter((colour) => own.includes(colour));
        if (colours.length > 0) expect(colours).toEqual([object?.colour]);
      }
    }
  });

  test('ReasonSeg: the mask is one whole object, and no text names it', async () => {
    const { images, targets } = await held('reason_seg', 'val');
    for (const image of images) {
      const scene = synthScene(SEED, 'reason-val', sceneNumber(image.fileName));
      for (const { expression, mask } of targets(image)) {
        const overlaps = scene.objects.map((_, i) => rleIou(encodeMask(mask), encodeMask(visibleMask(scene, [i]))));
        // OpenCV draws the outline itself too: half a pixel more on every side.
        expect(Math.max(...overlaps)).toBeGreaterThan(0.8);
        const words = expression.replace('?', '').split(' ');
        expect([...COLOURS, ...SHAPES].filter((word) => words.includes(word))).toEqual([]);
      }
    }
  });

  test('VQA: the questions held out are about pictures that are there, and of every kind', () => {
    const questions = readVqaQuestions(dir);
    const pictures = readdirSync(join(dir, 'coco', 'val2017'));
    expect(new Set(questions.map(({ image }) => basename(image)))).toEqual(new Set(pictures));
    expect(new Set(questions.map(({ category }) => category)).size).toBeGreaterThanOrEqual(3);
    for (const { image, text, answers } of questions) {
      const scene = synthScene(SEED, 'vqa-val', sceneNumber(image));
      expect([text, [trueAnswer(scene, text)]]).toEqual([text, answers]);
    }
  });
});

async function held(name: string, split: string) {
  const dataset = await evaluated(name, split);
  expect(dataset.images).toHaveLength(3);
  return { images: dataset.images, targets: dataset.targets.bind(dataset) };
}

function named(scene: Scene, words: string): number[] {
  return scene.objects.flatMap(({ colour, shape }, i) => (`${colour} ${shape}` === words ? [i] : []));
}

/** The answer, from the words of the question alone. */
function trueAnswer(scene: Scene, question: string): string {
  const words = question.replace('?', '').split(' ');
  const colour = COLOURS.find((word) => words.includes(word)) ?? null;
  const shape = SHAPES.find((word) => words.includes(word) || words.includes(`${word}s`)) ?? null;
  const side = (['left', 'right', 'top', 'bottom'] as const).find((word) => words.includes(word));
  const phrase = { noun: { colour, shape }, number: 'one' as const, ...(side === undefined ? {} : { side }) };
  const objects = targetsOf(scene, phrase) ?? [];
  const numbers = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
  if (words[0] === 'How') return numbers[objects.length] ?? '';
  if (words[0] === 'Is') return objects.length > 0 ? 'yes' : 'no';
  const only = scene.objects[objects[0] ?? -1];
  return (words[1] === 'colour' ? only?.colour : only?.shape) ?? '';
}
