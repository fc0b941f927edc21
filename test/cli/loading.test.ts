/** Modules that a command line loads, in a process of its own: nobody waits for a command that was not asked for. */
import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { COMMANDS } from '../../src/cli/commands.js';

interface Loaded {
  readonly code: number;
  /** Files below src, loaded so far. */
  readonly modules: readonly string[];
}

function load(lines: readonly (readonly string[])[]): Loaded[] {
  const args = ['test/helpers/loaded-modules.cjs', JSON.stringify(lines)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Loaded[];
}

test('the version, the help and a misspelt command load 15 modules at most', () => {
  const answers = load([['--version'], ['--help'], ['data', '--help'], ['data']]);
  expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 2]);
  for (const { modules } of answers) {
    expect(modules).toContain('cli/commands.ts');
    expect(modules.length).toBeLessThanOrEqual(15);
  }
});

test("a command loads its own file, and its help no other's", () => {
  const [answer] = load([['segment', '--help']]);
  const commands = answer?.modules.filter((file) => file.startsWith('cli/commands/'));
  expect(commands).toEqual(['cli/commands/segment.ts']);
});

test('no help waits for TensorFlow.js', () => {
  const answers = load(COMMANDS.map(({ path }) => [...path, '--help']));
  const waiting = answers.findIndex(({ modules }) => modules.includes('engine/tf.ts'));
  expect(COMMANDS[waiting]?.path).toBeUndefined();
  expect(COMMANDS.filter((_, i) => answers[i]?.code !== 0)).toEqual([]);
});
