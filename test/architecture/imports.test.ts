/** Proves the direction of imports (design.md): down only, never between neighbours, TensorFlow.js in one place. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix, resolve, sep } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/** From top to bottom; a folder may import from every row below its own. */
const ROWS = [
  ['index'],
  ['cli', 'serve'],
  ['workflows'],
  ['doctor'],
  ['verification', 'benchmark'],
  ['training', 'evaluation', 'inference', 'setup'],
  ['synthetic'],
  ['features'],
  ['checkpoints'],
  ['systems'],
  ['networks', 'data'],
  ['nn', 'io'],
  ['engine'],
  ['leaves'],
];
const SRC = resolve('src');

interface Import {
  readonly from: string;
  readonly to: string;
}

const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => path.split(sep).join('/'))
  .sort();

/** Every module named in a file: static, re-exported, type-only and dynamic imports. */
function importsOf(file: string): Import[] {
  const source = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const pattern =
    /(?:^|[\s;}])(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/gm;
  return [...source.matchAll(pattern)].map((match) => {
    const name = (match[1] ?? match[2] ?? match[3]) as string;
    const isOwn = name.startsWith('.');
    return { from: file, to: isOwn ? posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts') : name };
  });
}

const IMPORTS = FILES.flatMap(importsOf);
const OWN_IMPORTS = IMPORTS.filter(({ to }) => to.endsWith('.ts'));

/** The folder of a file below src; 'leaves' for files directly in it, 'index' for the public API. */
function partOf(file: string): string {
  if (!file.includes('/')) return file === 'index.ts' ? 'index' : 'leaves';
  return file.split('/')[0] as string;
}

function rowOf(file: string): number {
  return ROWS.findIndex((row) => row.includes(partOf(file)));
}

const show = ({ from, to }: Import): string => `${from} → ${to}`;

describe('imports', () => {
  test('the scan sees the sources: a known import is found', () => {
    expect(IMPORTS).toContainEqual({ from: 'engine/tf.ts', to: '@tensorflow/tfjs-core' });
    expect(IMPORTS).toContainEqual({ from: 'cli/main.ts', to: 'errors.ts' });
    expect(IMPORTS).toContainEqual({ from: 'verification/subjects.ts', to: 'verification/metrics.ts' });
  });

  test('every folder of src has its place in the rows', () => {
    expect(FILES.filter((file) => rowOf(file) < 0)).toEqual([]);
  });

  test('go down only, and neighbours on a row do not import each other', () => {
    const wrong = OWN_IMPORTS.filter(({ from, to }) => partOf(from) !== partOf(to) && rowOf(to) <= rowOf(from));
    expect(wrong.map(show)).toEqual([]);
  });

  test('stay inside src', () => {
    expect(OWN_IMPORTS.filter(({ to }) => to.startsWith('..')).map(show)).toEqual([]);
  });

  test('lead to files that exist', () => {
    const known = new Set(FILES);
    expect(OWN_IMPORTS.filter(({ to }) => !known.has(to)).map(show)).toEqual([]);
  });

  test('name TensorFlow.js in src/engine only', () => {
    const wrong = IMPORTS.filter(({ from, to }) => to.startsWith('@tensorflow/') && partOf(from) !== 'engine');
    expect(wrong.map(show)).toEqual([]);
  });

  test('of other packages are dependencies of the package', () => {
    const description = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
    const packages = IMPORTS.filter(({ to }) => !to.endsWith('.ts') && !to.startsWith('node:'));
    const wrong = packages.filter(({ to }) => !(packageName(to) in description.dependencies));
    expect(wrong.map(show)).toEqual([]);
  });

  test('have no circles between files', () => {
    expect(findCircle()).toBeNull();
  });
});

function packageName(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}

/** A chain of files that leads back to its start, or null. Depth first; a file is finished once. */
function findCircle(): string | null {
  const targets = new Map<string, string[]>();
  for (const { from, to } of OWN_IMPORTS) targets.set(from, [...(targets.get(from) ?? []), to]);
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): string | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(' → ');
    if (finished.has(file)) return null;
    for (const target of targets.get(file) ?? []) {
      const circle = visit(target, [...path, file]);
      if (circle !== null) return circle;
    }
    finished.add(file);
    return null;
  };
  for (const file of FILES) {
    const circle = visit(file, []);
    if (circle !== null) return circle;
  }
  return null;
}
