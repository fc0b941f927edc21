/** docs/reproduce.md: every command is one that the program takes, every figure the published one. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

import { expectedFigures } from '../../src/evaluation/report/published-figures.js';
import { parseLine } from '../helpers/parse-line.js';
import type { ReleasedModel } from '../../src/systems/catalogue/entry.js';
import { BACKBONES, RELEASE, RELEASED_MODELS } from '../../src/systems/catalogue/released-models.js';
import { readExperimentConfig } from '../../src/training/config/experiment-config.js';
import { shellCommands } from '../helpers/shell-commands.js';

const PAGE = readFileSync('docs/reproduce.md', 'utf8');
const COMMANDS = shellCommands(PAGE);

test('the reader of shell commands: loops, comments, quotes, continued lines', () => {
  const page = [
    '```sh',
    'for a in 1 2; do',
    '  for b in x y; do',
    '    gsva eval --x $a/$b \\',
    '      --y "one two"   # why',
    '  done',
    'done',
    '# only a comment',
    '```',
    'not a command',
  ].join('\n');
  expect(shellCommands(page)).toEqual(
    ['1/x', '1/y', '2/x', '2/y'].map((word) => ['gsva', 'eval', '--x', word, '--y', 'one two']),
  );
});

const GSVA = COMMANDS.filter(([program]) => program === 'gsva').map((words) => words.slice(1));

test('the page has commands of each step', () => {
  const commands = new Set(GSVA.map(([command]) => command));
  const steps = ['models', 'data', 'verify', 'convert', 'segment', 'eval', 'train', 'merge', 'export'];
  expect([...commands]).toEqual(expect.arrayContaining(steps));
  expect(GSVA.length).toBeGreaterThan(30);
});

test.each(GSVA.map((words) => [words.join(' '), words] as const))('gsva %s', async (_, words) => {
  const { config, set } = (await parseLine(words)) as { config?: string; set?: [string, unknown][] };
  if (config === undefined) return;
  expect(existsSync(config)).toBe(true);
  // Unknown keys of --set are refused here.
  const overrides = (set ?? []).map(([key, value]): [string, unknown] => [key, value]);
  expect(readExperimentConfig(config, overrides, { forPlan: true }).stage).toBe('gsva');
});

test('what is not gsva downloads what the catalogue has', () => {
  const others = COMMANDS.filter(([program]) => program !== 'gsva');
  const pieces = BACKBONES.flatMap(({ llava, clip, sam }) => [
    ...('whole' in llava ? [llava.whole] : [llava.base, llava.delta]),
    clip,
    sam,
  ]);
  const places = others.map((words) => {
    const place = words[0] === 'hf' ? words.at(-1) : words[words.indexOf('--output') + 1];
    const piece = pieces.find((one) => place === `checkpoints/${one.place}`);
    expect([place, words[0] === 'hf' ? words[2] : words.at(-1)]).toEqual([place, piece?.hub ?? piece?.url]);
    return place;
  });
  expect(new Set(places)).toEqual(new Set(pieces.map(({ place }) => `checkpoints/${place}`)));
  for (const folder of RELEASE.folders) expect(PAGE).toContain(`(${folder})`);
  expect(PAGE).toContain(RELEASE.readme);
});

describe('figures', () => {
  const rows = PAGE.split('\n').filter((line) => line.startsWith('| `gsva-'));
  const line = (...cells: string[]): string => `| ${cells.join(' | ')} |`;
  const ofTable1 = ({ figures }: ReleasedModel): boolean => figures.some(({ table }) => table === 1);

  test('of Table 1 are those that reports show, of every model', () => {
    const expected = RELEASED_MODELS.filter(ofTable1).map((model) => {
      const figures = expectedFigures(model).filter(({ table }) => table === 'Table 1');
      const row = model.figures.find(({ table }) => table === 1)?.row ?? '';
      return line(`\`${model.name}\``, row, ...figures.map(({ published }) => published.toFixed(2)));
    });
    expect(expected).toHaveLength(6);
    expect(rows.filter((text) => text.includes('GSVA-'))).toEqual(expected);
  });

  test('of the log are those of the catalogue', () => {
    const expected = RELEASED_MODELS.flatMap((model) =>
      model.logged.map(({ split, gIoU, cIoU, N_acc, T_acc }) =>
        line(`\`${model.name}\``, split, ...[gIoU, cIoU, N_acc, T_acc].map((value) => (100 * value).toFixed(2))),
      ),
    );
    expect(expected).toHaveLength(6);
    expect(rows.filter((text) => !text.includes('GSVA-'))).toEqual(expected);
  });

  test('each model of Table 1 is converted and measured on every split', () => {
    const text = GSVA.map((words) => words.join(' '));
    for (const { name } of RELEASED_MODELS.filter(ofTable1)) {
      expect(
        text.filter((one) => one.startsWith('convert ') && one.endsWith(`--out checkpoints/${name}`)),
      ).toHaveLength(1);
      for (const split of ['val', 'testA', 'testB']) {
        const runs = text.filter(
          (one) => one.includes(`--model checkpoints/${name} `) && one.includes(`--split ${split} `),
        );
        expect(runs.length).toBeGreaterThanOrEqual(1);
      }
    }
  });
});
