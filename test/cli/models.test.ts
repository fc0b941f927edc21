/** `gsva models` from the command line: the list, one model, what is refused, what is for programs. */
import { cpSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { commandsOf } from '../../src/workflows/model-report.js';
import { expectedFigures } from '../../src/evaluation/report/published-figures.js';
import { needOf } from '../../src/benchmark/model-need.js';
import { parseLine } from '../helpers/parse-line.js';
import { RELEASED_COUNTS } from '../../src/benchmark/released-counts.js';
import { RELEASED_MODELS } from '../../src/systems/catalogue/released-models.js';
import { lisaCommands, LISA_MODELS } from '../../src/systems/catalogue/lisa-models.js';
import { self1eCommands, SELF1E_MODELS } from '../../src/systems/catalogue/self1e-models.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';
import { shellCommands } from '../helpers/shell-commands.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-cli-models-'));
const cacheBefore = process.env.HF_HUB_CACHE;
beforeAll(() => {
  process.env.HF_HUB_CACHE = join(scratch, 'no-cache');
});
afterAll(() => {
  if (cacheBefore === undefined) delete process.env.HF_HUB_CACHE;
  else process.env.HF_HUB_CACHE = cacheBefore;
  rmSync(scratch, { recursive: true });
});

interface Listed {
  pass: boolean;
  memory: { total: number; given: boolean };
  packaged: { name: string; state: string }[];
  released: {
    name: string;
    state: string;
    memory: { fits: string | null };
    files: { state: string; fault: string }[];
  }[];
}

const empty = (): string => mkdtempSync(join(scratch, 'empty-'));
const memoryOf = (gib: number) => ({ total: gib * 2 ** 30, available: gib * 2 ** 30, containerLimit: null });

describe('the list', () => {
  test('every model with state, sizes and memory; each missing piece once, with its source and licence', async () => {
    const dir = empty();
    const { code, stdout } = await runCli(['models', '--dir', dir, '--memory', '24GiB']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/tiny +trained on coloured shapes.* complete +in this package\n/);
    expect(stdout).toMatch(
      /gsva-7b-pt +GSVA-Vicuna-7B, pretrained +absent +32–62 GB +31 GiB +16 GiB +fits in 16 bits\n/,
    );
    expect(stdout).toMatch(/gsva-13b-ft-gres .* 56 GiB +29 GiB +does not fit, in 16 bits 5\.3 GiB too much\n/);
    expect(stdout.match(/sam_vit_h_4b8939\.pth {2}SAM ViT-H, 2,564,550,879 bytes; for all\n/g)).toHaveLength(1);
    expect(stdout).toContain('   licence: MIT (github.com/openai/CLIP)\n');
    expect(stdout).toContain(
      'LLaVA-13b-delta-v1-1  LLaVA-Vicuna-13B v1.1, a delta to LLaMA-13B, about 26.0 GB; for gsva-13b-*\n',
    );
    expect(stdout).toContain(`${dir}: 0 of 10 released models can be used`);
    expect(stdout).toContain('gsva-7b-pt, gsva-7b-ft-gres: named so by their authors');
  });

  test('a file with a problem: its path, what is wrong, exit code 1', async () => {
    const dir = empty();
    const sam = join(dir, 'sam_vit_h_4b8939.pth');
    cpSync(join(fixture('checkpoints-tiny'), 'sam_vit_tiny.pth'), sam);
    const other = await runCli(['models', '--dir', dir]);
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(
      /problem {2}\S+sam_vit_h_4b8939\.pth\n +its weights have [\d,]+ numbers that are used; there should be 641,090,864\n/,
    );
    truncateSync(sam, 10_000);
    const cut = await runCli(['models', '--dir', dir, '--json']);
    expect(cut.code).toBe(1);
    const { pass, released } = JSON.parse(cut.stdout) as Listed;
    expect(pass).toBe(false);
    expect(released.map(({ state }) => state)).toEqual(released.map(() => 'broken'));
    expect(released[0]?.files.filter(({ state }) => state === 'broken')).toHaveLength(1);
  });

  test('for programs', async () => {
    const { code, stdout } = await runCli(['models', '--dir', empty(), '--memory', '64 GiB', '--json']);
    expect(code).toBe(0);
    const { pass, memory, packaged, released } = JSON.parse(stdout) as Listed;
    expect(pass).toBe(true);
    expect(memory).toMatchObject({ total: 64 * 2 ** 30, given: true });
    expect(packaged).toMatchObject([
      { name: 'tiny', state: 'complete' },
      { name: 'tiny-base', state: 'complete' },
      { name: 'tiny-self1e', state: 'complete' },
    ]);
    expect(released.map(({ name }) => name)).toEqual(RELEASED_MODELS.map(({ name }) => name));
    expect(released.map((model) => model.memory.fits)).toEqual(RELEASED_MODELS.map(() => 'f32'));
  });

  test('ends when interrupted', async () => {
    expect((await runCli(['models', '--dir', empty()], { signal: AbortSignal.abort() })).code).toBe(130);
  });
});

describe('one model', () => {
  test('files, memory, published figures and commands; exit code 1 where it is not there', async () => {
    const dir = empty();
    const { code, stdout } = await runCli(['models', 'gsva-7b-ft-gres.bin', '--dir', dir, '--memory', '24GiB']);
    expect(code).toBe(1);
    expect(stdout).toContain('gsva-7b-ft-gres  GSVA-Vicuna-7B, fine-tuned on gRefCOCO: absent\n7.71 B parameters');
    expect(stdout).toMatch(/Table 1 +grefcoco +val +gIoU 66\.47, cIoU 63\.29, N_acc 62\.43\n/);
    expect(stdout).toContain('val: gIoU 66.43, cIoU 63.19, N_acc 62.56, T_acc 99.62\n');
    expect(stdout).toContain(`gsva-7b-ft-gres --precision packed --image`);
    expect(stdout).toMatch(/openblas +16 GiB +yes/);
    expect(stdout).toContain('size not published: 1.2 GB with what was trained alone, 30.8 GB with everything');
  });

  test('those of the package', async () => {
    const { code, stdout } = await runCli(['models', 'tiny']);
    expect(code).toBe(0);
    expect(stdout).toContain('gsva.js eval --data data/synth\n');
    const forPrograms = await runCli(['models', 'tiny-base', '--json']);
    expect(JSON.parse(forPrograms.stdout)).toMatchObject({ name: 'tiny-base', state: 'complete', pass: true });
  });

  test('a published LISA: base, code, figures, what its figures are worth, commands', async () => {
    const dir = empty();
    const first = await runCli(['models', 'LISA-13B-llama2-v0', '--dir', dir]);
    expect(first.code).toBe(1);
    expect(first.stdout).toContain('made from llava-llama-2-13b-chat-lightning-preview, read by only commit 0e26916');
    expect(first.stdout).toContain('published on ReasonSeg val: gIoU 60.0, cIoU 67.8\n');
    const { stdout } = await runCli(['models', '--dir', dir]);
    expect(stdout).toMatch(/LISA-7B-v1 +absent +LLaVA-Lightning-7B-v1-1 +trained on train and val of ReasonSeg/);
    const lines = LISA_MODELS.flatMap((model) => lisaCommands(model, 'checkpoints'));
    const page = ['```sh', ...lines, '```'].join('\n').replaceAll('node bin/gsva.js', 'gsva');
    const own = shellCommands(page).filter(([program]) => program === 'gsva');
    expect(own).toHaveLength(3 * LISA_MODELS.length);
    for (const words of own) await expect(parseLine(words.slice(1))).resolves.toBeDefined();
  });

  test('a published SELF1E: base, sizes, figures, commands', async () => {
    const dir = empty();
    const first = await runCli(['models', 'SELF1E-2B', '--dir', dir]);
    expect(first.code).toBe(1);
    expect(first.stdout).toContain(
      'made from InternVL3-2B (2.09 B, about 4.2 GB; absent), data repeated 1,1,1,1 times',
    );
    expect(first.stdout).toContain('published on refcocog test: cIoU 77.8\n');
    expect(first.stdout).toContain('published on ReasonSeg val: gIoU 59.4, cIoU 68.8\n');
    const { stdout } = await runCli(['models', '--dir', dir]);
    expect(stdout).toMatch(/SELF1E-SEG-8B +absent +InternVL3-8B +data repeated 6,20,6,1 times/);
    const lines = SELF1E_MODELS.flatMap((model) => self1eCommands(model, 'checkpoints'));
    const page = ['```sh', ...lines, '```'].join('\n').replaceAll('node bin/gsva.js', 'gsva');
    const own = shellCommands(page).filter(([program]) => program === 'gsva');
    expect(own).toHaveLength(4 * SELF1E_MODELS.length);
    for (const words of own) await expect(parseLine(words.slice(1))).resolves.toBeDefined();
  });

  test('an unknown name is answered with the nearest', async () => {
    const { code, stdout, stderr } = await runCli(['models', 'gsva-7b-ft-grez']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/no model "gsva-7b-ft-grez" \(did you mean "gsva-7b-ft-gres"\?\); known are gsva-7b-pt, /);
  });

  test('the beginning of several names is answered with all of them', async () => {
    const { code, stderr } = await runCli(['models', 'gsva-7b']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/no model "gsva-7b" \(did you mean one of gsva-7b-pt, gsva-7b-ft-gres,/);
  });

  test('a folder that is none, and memory that is no size, are refused', async () => {
    const missing = await runCli(['models', '--dir', join(scratch, 'none')]);
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toMatch(/no such folder; --dir takes an existing folder/);
    const file = join(scratch, 'file');
    writeFileSync(file, '');
    expect((await runCli(['models', '--dir', file])).code).toBe(1);
    for (const memory of ['24', 'much', '0GiB', '-1GB', '24 KiB']) {
      const { code, stderr } = await runCli(['models', '--memory', memory]);
      expect([memory, code]).toEqual([memory, 2]);
      expect(stderr).toContain('--memory takes a number and MB, GB, TB, MiB, GiB or TiB, such as 24GiB');
    }
  });
});

describe('commands', () => {
  const all = RELEASED_MODELS.flatMap((model) => {
    const columns = expectedFigures(model);
    const groups = commandsOf(model, { dir: 'my files', found: null, precision: 'packed', columns });
    const page = ['```sh', ...groups.flatMap(({ lines }) => lines), '```'].join('\n').replaceAll("'", '"');
    // From the clone that the tests run in the program is "node bin/gsva.js".
    const program = ['node', 'bin/gsva.js'].join(' ');
    return shellCommands(page.replaceAll(program, 'gsva')).map((words) => [model.name, words] as const);
  });

  test('of every model parse', async () => {
    const own = all.filter(([, [program]]) => program === 'gsva');
    for (const [, words] of own) {
      await expect(parseLine(words.slice(1))).resolves.toBeDefined();
    }
    // 10 models to convert and to ask; 12 configurations are not all: three pretrained ones are fine-tuned, in two commands.
    const count = (command: string): number => own.filter(([, words]) => words[1] === command).length;
    expect([count('segment'), count('train')]).toEqual([10, 6]);
    expect(count('convert')).toBe(10 + 7);
  });

  test('a model on Llama 2 is converted with its conversation, the others without', () => {
    const styled = all.filter(([, words]) => words.includes('llava_llama_2')).map(([name]) => name);
    expect(styled).toEqual(['gsva-llama2-13b-pt', 'gsva-llama2-13b-ft-gres', 'gsva-llama2-13b-ft-res']);
  });
});

describe('memory', () => {
  test.each([
    ['vicuna-7b', 48, 'f32', 'tensorflow'],
    ['vicuna-7b', 24, 'packed', 'tensorflow'],
    ['vicuna-7b', 16, null, 'tensorflow'],
    ['llama-2-13b', 24, null, 'tensorflow'],
    ['llama-2-13b', 40, 'packed', 'tensorflow'],
  ] as const)('%s in %d GiB: %s', (backbone, gib, fits, f32Engine) => {
    const need = needOf(RELEASED_COUNTS[backbone], memoryOf(gib));
    expect(need.fits).toBe(fits);
    // Float32 of this size is over WASM's 4 GiB: no memory would help the others.
    expect(need.least.f32.engine).toBe(f32Engine);
  });
});
