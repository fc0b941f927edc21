/** How the program is named in messages, and where what comes with the package is found. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  directProgram,
  gsvaCommand,
  packagedPath,
  packagePath,
  programName,
  reinstallCommand,
  runnable,
} from '../src/program.js';
import { readExperimentConfig } from '../src/training/config/experiment-config.js';

const clone = { root: '/home/u/gsva', script: '/home/u/gsva/bin/gsva.js', cwd: '/home/u/gsva', path: '/usr/bin:/bin' };
const home = '/home/u/app/node_modules/gsva';
const installed = { root: home, script: '/home/u/app/node_modules/.bin/gsva', cwd: '/home/u/app', path: '/usr/bin' };

describe('the program in a message', () => {
  test.each([
    ['a clone, from its folder', clone, 'node bin/gsva.js'],
    ['a clone, from a folder in it', { ...clone, cwd: '/home/u/gsva/runs' }, 'node /home/u/gsva/bin/gsva.js'],
    ['a clone, from the folder above', { ...clone, cwd: '/home/u' }, 'node gsva/bin/gsva.js'],
    ['a clone, from elsewhere', { ...clone, cwd: '/data' }, 'node /home/u/gsva/bin/gsva.js'],
    ['a folder with a blank', { ...clone, root: '/home/my code', cwd: '/' }, 'node "home/my code/bin/gsva.js"'],
    ['an installed package', installed, 'npx gsva'],
    ['an installed package, from a folder below', { ...installed, cwd: '/home/u/app/src' }, 'npx gsva'],
    ['an installed package, used by a script', { ...installed, script: '/home/u/app/mask.js' }, 'npx gsva'],
    [
      'an installed package of pnpm',
      { ...installed, root: '/home/u/app/node_modules/.pnpm/gsva@1/node_modules/gsva' },
      'npx gsva',
    ],
    ['an installed package, from elsewhere', { ...installed, cwd: '/data' }, `node ${home}/bin/gsva.js`],
    ['a clone that an app links to', { ...installed, root: '/home/u/gsva' }, 'npx gsva'],
    [
      'an installation for all',
      { root: '/usr/lib/node_modules/gsva', script: '/usr/bin/gsva', cwd: '/data', path: '/usr/bin' },
      'gsva',
    ],
    [
      'the same, no longer in PATH',
      { root: '/opt/lib/node_modules/gsva', script: '/opt/bin/gsva', cwd: '/data', path: '/usr/bin' },
      'node /opt/lib/node_modules/gsva/bin/gsva.js',
    ],
  ])('%s', (_, place, name) => {
    expect(programName(place)).toBe(name);
  });

  test('beside mpirun the program is started directly', () => {
    expect(directProgram(installed)).toBe('node node_modules/gsva/bin/gsva.js');
  });

  test('here: the tests run in the folder of a clone', () => {
    expect(gsvaCommand('setup tensorflow')).toBe('node bin/gsva.js setup tensorflow');
    expect(runnable('gsva segment --out gsva')).toBe('node bin/gsva.js segment --out gsva');
    expect(runnable('mpirun -np 8 gsva train --out runs/gsva x')).toBe(
      'mpirun -np 8 node bin/gsva.js train --out runs/gsva x',
    );
  });

  test('what brings the dependencies back', () => {
    expect(reinstallCommand(clone)).toBe('npm ci');
    expect(reinstallCommand({ ...clone, cwd: '/data' })).toBe('npm ci --prefix /home/u/gsva');
    expect(reinstallCommand(installed)).toBe('npm install --force');
  });
});

describe('what comes with the package, from another folder', () => {
  const before = process.cwd();
  let folder = '';
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'gsva-elsewhere-')));
    process.chdir(folder);
  });
  afterEach(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });

  test('is found by the path that the documentation writes', () => {
    for (const path of ['configs/tiny.json5', 'checkpoints/tiny', 'data/samples/scene-1.jpg', './configs/paper']) {
      expect(packagedPath(path)).toBe(packagePath(path));
    }
  });

  test('what is in the current folder comes first', () => {
    mkdirSync('configs');
    writeFileSync('configs/tiny.json5', '{}');
    expect(packagedPath('configs/tiny.json5')).toBe('configs/tiny.json5');
  });

  test('so are the folders that a configuration of the package names', () => {
    const { start, tokenizer } = readExperimentConfig(packagedPath('configs/tiny.json5'));
    expect([start, tokenizer]).toEqual([packagePath('checkpoints/tiny-base'), packagePath('configs/tokenizers/synth')]);
    expect(readExperimentConfig(packagedPath('configs/own-data.json5')).tokenizer).toBe(
      packagePath('checkpoints/tiny'),
    );
  });

  test('nothing else is looked for in the package', () => {
    for (const path of ['package.json', 'src/index.ts', 'configs/none.json5', 'configs/../package.json', '', '/etc']) {
      expect(packagedPath(path)).toBe(path);
    }
  });
});
