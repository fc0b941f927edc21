/** bin/prepare.js in a miniature project with a stand-in for the compiler: it works when needed, and only then. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

let root = '';

const at = (path: string): string => join(root, path);
const write = (path: string, content: string): void => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
};
const lock = (version: string): string =>
  JSON.stringify({
    packages: {
      '': { name: 'mini' },
      'node_modules/typescript': { version, integrity: `sha512-${version}` },
      'node_modules/other-platform': { version: '1.0.0', optional: true },
    },
  });

/** Runs it with an npm that says what it was asked for and fails. */
function prepare(words: readonly string[] = [], more = {}): { code: number | null; said: string } {
  const env = { ...process.env, PATH: `${at('path')}:${process.env.PATH ?? ''}`, npm_execpath: '', ...more };
  const argv = [at('bin/prepare.js'), ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', env });
  return { code: status, said: stdout + stderr };
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gsva-prepare-test-'));
  cpSync('bin/prepare.js', at('bin/prepare.js'), { recursive: true });
  write('package.json', '{ "type": "module" }');
  write('package-lock.json', lock('5.9.3'));
  write('node_modules/.package-lock.json', lock('5.9.3'));
  write('tsconfig.json', '{}');
  write('tsconfig.build.json', '{}');
  write('src/index.ts', 'export {};');
  write('src/cli/main.ts', 'export {};');
  write('node_modules/typescript/package.json', '{ "type": "commonjs" }');
  write(
    'node_modules/typescript/bin/tsc',
    `const fs = require('fs');
     if (fs.readFileSync('src/index.ts', 'utf8').includes('wrong')) { console.log('src/index.ts: wrong'); process.exit(2); }
     fs.mkdirSync('dist/cli', { recursive: true });
     fs.writeFileSync('dist/cli/main.js', '');`,
  );
  write('path/npm', '#!/bin/sh\necho "npm error asked for $*" >&2\nexit 1\n');
  spawnSync('chmod', ['+x', at('path/npm')]);
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

describe('bin/prepare.js', () => {
  test('builds once, is silent when all is up to date, and builds again when a source has changed', () => {
    expect(prepare()).toEqual({ code: 0, said: 'prepare: building (tsc) ...\n' });
    expect(prepare()).toEqual({ code: 0, said: '' });
    write('src/index.ts', 'export const changed = 1;');
    expect(prepare().said).toContain('building');
    expect(prepare().said).toBe('');
  });

  test('builds again when a source file has gone or its result is missing', () => {
    write('src/extra.ts', 'export {};');
    prepare();
    rmSync(at('src/extra.ts'));
    expect(prepare().said).toContain('building');
    rmSync(at('dist/cli'), { recursive: true });
    expect(prepare().said).toContain('building');
  });

  test('a failed build shows the errors, ends with 1, and is tried again', () => {
    write('src/index.ts', 'wrong');
    for (let i = 0; i < 2; i++) {
      const { code, said } = prepare();
      expect(code).toBe(1);
      expect(said).toContain('src/index.ts: wrong');
      expect(said).toContain('prepare: the build failed');
    }
    expect(existsSync(at('dist/.source-digest'))).toBe(false);
  });

  test.each([
    ['nothing is installed', () => rmSync(at('node_modules/.package-lock.json'))],
    ['another version is installed', () => write('node_modules/.package-lock.json', lock('5.9.2'))],
  ])('installs when %s, and explains a failure', (_, change) => {
    change();
    const { code, said } = prepare();
    expect(code).toBe(1);
    expect(said).toContain('npm error asked for ci');
    expect(said).toMatch(/prepare: npm ci failed .*registry\.npmjs\.org.*\n$/);
  });

  test('results of a source that is gone are removed, and so are the files that only debuggers read', () => {
    write('src/gone.ts', 'export {};');
    for (const path of ['dist/gone.js', 'dist/gone.d.ts', 'dist/index.js', 'dist/index.js.map']) write(path, '');
    rmSync(at('src/gone.ts'));
    expect(prepare().code).toBe(0);
    const left = ['gone.js', 'gone.d.ts', 'index.js.map', 'index.js', 'cli/main.js'];
    expect(left.filter((path) => existsSync(at(`dist/${path}`)))).toEqual(['index.js', 'cli/main.js']);
  });

  test('of the declarations those are kept that index.d.ts leads to', () => {
    for (const name of ['a', 'deep/b', 'deep/c', 'other']) write(`src/${name}.ts`, 'export {};');
    write('dist/other.d.ts', 'an earlier build had all of them');
    write('dist/.types/index.d.ts', `export { a } from './a.js';\nexport type C = import('./deep/c.js').C;\n`);
    write('dist/.types/a.d.ts', `import { b } from './deep/b.js';\n`);
    write('dist/.types/deep/b.d.ts', `export * from '../a.js';\n`);
    for (const name of ['deep/c', 'other']) write(`dist/.types/${name}.d.ts`, 'export {};');
    expect(prepare().code).toBe(0);
    const found = ['index', 'a', 'deep/b', 'deep/c', 'other'].filter((name) => existsSync(at(`dist/${name}.d.ts`)));
    expect(found).toEqual(['index', 'a', 'deep/b', 'deep/c']);
  });

  describe('--build, which npm runs as "prepare"', () => {
    test('builds and installs nothing, whatever is installed', () => {
      rmSync(at('node_modules/.package-lock.json'));
      expect(prepare(['--build'])).toEqual({ code: 0, said: 'prepare: building (tsc) ...\n' });
      expect(prepare(['--build'])).toEqual({ code: 0, said: '' });
    });

    test('within the npm ci that prepare itself runs it does nothing: no second build, no waiting for each other', () => {
      write('path/npm', `#!/bin/sh\nexec '${process.execPath}' '${at('bin/prepare.js')}' --build\n`);
      rmSync(at('node_modules/.package-lock.json'));
      expect(prepare()).toEqual({
        code: 0,
        said: 'prepare: installing the dependencies (npm ci, usually less than a minute) ...\nprepare: building (tsc) ...\n',
      });
    });

    test('without the compiler (npm ci --omit=dev) the installation does not fail, and says what is missing', () => {
      rmSync(at('node_modules/typescript'), { recursive: true });
      const { code, said } = prepare(['--build']);
      expect(code).toBe(0);
      expect(said).toMatch(/^prepare: not built: .*typescript.* is missing .*npm run build/);
    });
  });

  test('refuses an incomplete copy', () => {
    rmSync(at('package-lock.json'));
    expect(prepare()).toMatchObject({ code: 1, said: expect.stringContaining('package-lock.json is missing') });
  });

  test('an old Node is told which one is needed', () => {
    const source = readFileSync(at('bin/prepare.js'), 'utf8');
    write('bin/prepare.js', source.replace('NODE_NEEDED = [20, 19]', 'NODE_NEEDED = [99, 0]'));
    expect(prepare()).toMatchObject({ code: 1, said: expect.stringContaining('Node 99.0 or newer is needed') });
  });

  test('takes over the lock of a run that was killed', () => {
    prepare();
    write('src/index.ts', 'export const again = 1;');
    const ended = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(lockPath(), String(ended.pid));
    expect(prepare()).toEqual({ code: 0, said: 'prepare: building (tsc) ...\n' });
    expect(existsSync(lockPath())).toBe(false);
  });
});

/** Where prepare.js keeps the lock of this root. */
function lockPath(): string {
  return join(tmpdir(), `gsva-prepare-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`);
}
