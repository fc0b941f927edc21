/** `gsva inspect`: what it lists, what it reads, and that names from a file cannot command the terminal. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { matches, partsOf, printable } from '../../src/io/tensor-summary.js';
import { writeSafetensors, writeShardedSafetensors } from '../../src/io/safetensors/safetensors-writer.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';

const MODEL = fixture('gsva-tiny', 'model.safetensors');
const folder = mkdtempSync(join(tmpdir(), 'gsva-inspect-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly mean?: number;
}

interface Answer {
  readonly format: string;
  readonly files: readonly string[];
  readonly tensors: readonly Listed[];
  readonly total: { readonly tensors: number; readonly numbers: number; readonly bytes: number };
  readonly dtypes: readonly unknown[];
  readonly parts: readonly { readonly part: string; readonly tensors: number; readonly bytes: number }[];
  readonly duplicates?: readonly { readonly names: readonly string[]; readonly constant: number | null }[];
}

async function inspectJson(...argv: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await runCli(['inspect', ...argv, '--json']);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Answer;
}

function written(name: string, tensors: Parameters<typeof writeSafetensors>[1]): string {
  const path = join(folder, name);
  writeSafetensors(path, tensors);
  return path;
}

describe('the recorded model', () => {
  test('is listed with totals that agree with each other, and nothing of it is read', async () => {
    const { code, stdout, stderr } = await runCli(['inspect', MODEL]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/ base_model\.model\.lm_head\.weight +F32 +\[604, 48\] +115968\n/);
    expect(stdout).toMatch(/ F32 +305 +303564 +1 MiB\n/);
    const answer = await inspectJson(MODEL);
    expect(answer).toMatchObject({ format: 'safetensors', files: [MODEL], total: { tensors: 305, numbers: 303564 } });
    expect(answer.tensors).toHaveLength(305);
    expect(answer.tensors.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(answer.total.bytes);
    expect(answer.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(answer.total.bytes);
    expect(answer.parts.map(({ part }) => part)).toEqual(
      expect.arrayContaining(['lm_head', 'model.layers', 'model.vision_tower', 'model.visual_model']),
    );
    expect(answer.duplicates).toBeUndefined();
    expect(answer.tensors[0]).not.toHaveProperty('mean');
  });

  test('a part of it is found by --match, with statistics by --stats', async () => {
    const answer = await inspectJson(MODEL, '--stats', '--match', '*.model.layers.0.self_attn.q_proj.*');
    expect(answer.tensors.map(({ name }) => name.split('self_attn.')[1])).toEqual([
      'q_proj.lora_A.default.weight',
      'q_proj.lora_B.default.weight',
      'q_proj.weight',
    ]);
    expect(answer.tensors[2]?.mean).toBeCloseTo(0.0019, 4);
    expect(answer.duplicates).toEqual([]);
    expect(answer.parts).toEqual([{ part: 'model.layers', tensors: 3, numbers: 2688, bytes: 10752 }]);
  });

  test('a part that is not there is an error that says how many tensors are', async () => {
    const { code, stdout, stderr } = await runCli(['inspect', MODEL, '--match', 'q_prj']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('has 305 tensors, but none that --match "q_prj" finds');
  });
});

describe('other files', () => {
  test('a folder of shards is one list', async () => {
    const dir = mkdtempSync(join(folder, 'shards-'));
    const tensors = ['a.w', 'b.w'].map((name) => {
      return { name, dtype: 'F32' as const, shape: [2], read: () => new Float32Array(2) };
    });
    writeShardedSafetensors(dir, tensors, { shardBytes: 8 });
    const { files, tensors: listed } = await inspectJson(dir);
    expect(files).toHaveLength(2);
    expect(listed.map(({ name }) => name)).toEqual(['a.w', 'b.w']);
  });

  test('equal tensors are named; those of one value are told apart; empty and merely similar ones are not equal', async () => {
    const data = Float32Array.of(1, 2);
    const path = written(
      'equal.safetensors',
      new Map([
        ['head', { shape: [2], data }],
        ['embedding', { shape: [1, 2], data }],
        ['other', { shape: [2], data: Float32Array.of(1, 3) }],
        ['whole', { shape: [2], data: new Int32Array(data.buffer) }],
        ['bias.0', { shape: [2], data: new Float32Array(2) }],
        ['bias.1', { shape: [2], data: new Float32Array(2) }],
        ['none.0', { shape: [0], data: new Float32Array(0) }],
        ['none.1', { shape: [0], data: new Float32Array(0) }],
      ]),
    );
    expect((await inspectJson(path, '--stats')).duplicates).toEqual([
      { names: ['head', 'embedding'], bytes: 8, constant: null },
      { names: ['bias.0', 'bias.1'], bytes: 8, constant: 0 },
    ]);
    const { stdout } = await runCli(['inspect', path, '--stats']);
    expect(stdout).toContain(' equal, 8 bytes each: head, embedding\n all 0, 8 bytes each: bias.0 and 1 more\n');
  });

  test('numbers are read with --stats only: a file whose header is sound is listed, whatever its numbers', async () => {
    const header = Buffer.from(JSON.stringify({ b: { dtype: 'BOOL', shape: [1], data_offsets: [0, 1] } }));
    const path = join(folder, 'bool.safetensors');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([length, header, Buffer.of(2)]));
    expect((await inspectJson(path)).tensors).toEqual([{ name: 'b', dtype: 'BOOL', shape: [1], numbers: 1, bytes: 1 }]);
    const { code, stderr } = await runCli(['inspect', path, '--stats']);
    expect(code).toBe(1);
    expect(stderr).toContain('tensor "b": it is BOOL but element 0 is 2');
  });

  test('a path with nothing behind it is one line and exit code 1', async () => {
    const { code, stderr } = await runCli(['inspect', join(folder, 'absent.safetensors')]);
    expect(code).toBe(1);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('Ctrl-C ends the reading', async () => {
    const { code } = await runCli(['inspect', MODEL, '--stats'], { signal: AbortSignal.abort() });
    expect(code).toBe(130);
  });
});

describe('names from a file', () => {
  const HOSTILE = ['\u001b]0;title\u0007', '\u009b2J', 'a\nb\r', '\u202ereversed', `x${'y'.repeat(10_000)}z`, '\ud800'];

  test('reach the terminal without control characters, at most 120 characters long; JSON has them as they are', async () => {
    const data = Float32Array.of(1);
    const path = written(
      'hostile.safetensors',
      new Map(HOSTILE.slice(0, -1).map((name) => [name, { shape: [1], data }])),
    );
    const { code, stdout } = await runCli(['inspect', path, '--stats']);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/[^\P{C}\n]/u);
    expect(stdout).toContain('\\u{1b}]0;title\\u{7}');
    expect(Math.max(...stdout.split('\n').map((line) => (line.startsWith(' equal') ? 0 : line.length)))).toBeLessThan(
      300,
    );
    expect((await inspectJson(path)).tensors.map(({ name }) => name).sort()).toEqual(HOSTILE.slice(0, -1).sort());
  });

  test('are escaped one by one, and cut in the middle', () => {
    expect(HOSTILE.map(printable).filter((name) => /\p{C}/u.test(name))).toEqual([]);
    expect(printable('a\nb')).toBe('a\\u{a}b');
    const cut = printable(HOSTILE[4] as string);
    expect(cut).toMatch(/^xy+…y+z$/);
    expect(Array.from(cut)).toHaveLength(120);
  });

  test.each([
    ['layers.1', 'layers.10.w', true],
    ['layers.*.w', 'layers.10.w', true],
    ['layers.*.w', 'model.layers.10.w', false],
    ['*.w', 'layers.w.b', false],
    ['*', '', true],
    ['a*a', 'a', false],
    ['a*b*c', 'axcbxc', true],
    ['a*b*c', 'acb', false],
    ['a.b', 'axb', false],
  ])('%s on %s: %s', (pattern, name, expected) => {
    expect(matches(name, pattern)).toBe(expected);
  });

  test('that take a backtracking matcher for ever take this one no time worth naming', () => {
    expect(matches('a'.repeat(100_000), `${'*a'.repeat(1000)}*b`)).toBe(false);
  });

  test('say which part they belong to, behind what all have in common', () => {
    const part = partsOf(['p.q.model.layers.0.w', 'p.q.model.norm.w', 'p.q.head.w', 'p.q.scale']);
    const names = ['p.q.model.layers.0.w', 'p.q.model.norm.w', 'p.q.head.w', 'p.q.scale'];
    expect(names.map(part)).toEqual(['model.layers', 'model.norm', 'head', 'scale']);
    expect(['0.attn.w', '0.attn.b', '1.attn.w'].map(partsOf(['0.attn.w', '1.attn.w']))).toEqual([
      '0.attn',
      '0.attn',
      '1.attn',
    ]);
    expect(partsOf(['w'])('w')).toBe('w');
    expect(partsOf(['a.w', 'a.w.x'])('a.w')).toBe('w');
  });
});

test('no engine is needed: nothing that the command line or the work imports leads to one', () => {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const source = readFileSync(file, 'utf8');
    for (const [, typeOnly, target] of source.matchAll(/^(?:import|export) (type )?[^;]*?from '(\.[^']+)\.js';/gms)) {
      if (typeOnly === undefined) visit(resolve(dirname(file), `${target as string}.ts`));
    }
  };
  visit(resolve('src/cli/main.ts'));
  visit(resolve('src/cli/parse.ts'));
  visit(resolve('src/cli/commands/inspect.ts'));
  const files = [...seen].map((file) => relative(resolve('src'), file).replaceAll('\\', '/'));
  expect(files).toContain('io/safetensors/safetensors.ts');
  expect(files.filter((file) => file === 'engine/tf.ts')).toEqual([]);
});
