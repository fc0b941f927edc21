/** Every layer class of src is held to `checkLayer`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';

/** All matches of a pattern's first group in the TypeScript files below a folder. */
function findAll(folder: string, pattern: RegExp): string[] {
  const files = readdirSync(resolve(folder), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  return files.flatMap((file) => {
    return [...readFileSync(join(resolve(folder), file), 'utf8').matchAll(pattern)].map((match) => match[1] ?? '');
  });
}

test('every concrete layer class has its checkLayer', () => {
  const classes = findAll('src', /^export class (\w+)(?:<[^>]*>)? extends (?:\w*Layer|Linear|Convolution)\b/gm);
  const checked = findAll('test', /^checkLayer\('(\w+)'/gm);
  expect(classes.length).toBeGreaterThan(20);
  expect(checked.filter((name) => !name.includes(' ')).sort()).toEqual(classes.sort());
});
