/** Proves that what no compiler reads, scripts outside src and comments, names modules and exports that exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const SCRIPTS = ['bin', '.ci', 'test/fuzz', 'examples'].flatMap((folder) => {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => /\.m?js$/.test(path));
});

test.each(SCRIPTS)('%s', (script) => {
  const text = readFileSync(script, 'utf8');
  const missing = [...text.matchAll(/dist\/((?:[\w-]+\/)*[\w-]+)\.js\b/g)].filter(([, path]) => {
    return !existsSync(join('src', `${path ?? ''}.ts`));
  });
  expect(missing.map(([path]) => path)).toEqual([]);
  for (const [, names = '', path = ''] of text.matchAll(/^import \{([^}]*)\} from '[./]*dist\/([\w/-]+)\.js';$/gm)) {
    const module = readFileSync(join('src', `${path}.ts`), 'utf8');
    const lacking = names.split(',').filter((name) => {
      return !new RegExp(`^export [^=(]*\\b${name.trim()}\\b`, 'm').test(module);
    });
    expect({ path, lacking }).toEqual({ path, lacking: [] });
  }
});

test('files that comments of src name exist', () => {
  const files = ['src', 'test'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `/${folder}/${file.replaceAll('\\', '/')}`),
  );
  const named = files.flatMap((file) => {
    if (!file.startsWith('/src/')) return [];
    const comments = readFileSync(`.${file}`, 'utf8').match(/\/\*[\s\S]*?\*\/|\/\/ .*/g) ?? [];
    return comments.flatMap((comment) => [...comment.matchAll(/[\w/.-]+\.ts\b/g)].map(([name]) => ({ file, name })));
  });
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(({ name }) => !files.some((file) => file.endsWith(`/${name}`)))).toEqual([]);
});
