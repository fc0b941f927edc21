/** Proves that scripts outside src, which no compiler reads, name modules and exports that exist. */
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
