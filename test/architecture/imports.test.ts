/** Proves the direction of imports (design.md): down only, never between neighbours, TensorFlow.js in one place. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix, resolve, sep } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/**
 * From top to bottom; a folder may import from every row below its own. `synthetic` stands above the systems, whose words
 * its base recipes use. Below the systems, features (the store) use checkpoints (the search for what is not finite).
 */
const ROWS = [
  ['index'],
  ['cli', 'serve'],
  ['workflows'],
  ['doctor'],
  ['verification', 'benchmark'],
  ['training', 'evaluation', 'inference', 'setup'],
  ['synthetic'],
  ['systems'],
  ['features'],
  ['checkpoints'],
  ['networks', 'data'],
  ['nn', 'io'],
  ['engine'],
  ['leaves'],
];
const SRC = resolve('src');
/** Recordings of one paper. */
const ABOUT_ONE_PAPER: readonly string[] = [
  'verification/datasets.ts',
  'verification/lisa-case.ts',
  'verification/lisa-checkpoints.ts',
  'verification/lisa-datasets.ts',
  'verification/lisa-text.ts',
  'verification/model-case.ts',
  'verification/self1e-batches.ts',
  'verification/self1e-case.ts',
  'verification/self1e-datasets.ts',
  'verification/self1e-forward.ts',
  'verification/self1e-heads.ts',
  'verification/self1e-masks.ts',
  'verification/self1e-model.ts',
  'verification/self1e-texts.ts',
  'verification/self1e-tokenizer.ts',
  'verification/self1e-training.ts',
  'verification/self1e-words.ts',
];

interface Import {
  readonly from: string;
  readonly to: string;
  /** Whether it leaves nothing in the compiled file. */
  readonly isType: boolean;
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
    const to = isOwn ? posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts') : name;
    return { from: file, to, isType: /^[\s;}]*(?:import|export)\s+type\s/.test(match[0]) || namesOnlyTypes(match[0]) };
  });
}

/** `import { type A, type B } from …` */
function namesOnlyTypes(statement: string): boolean {
  const names = /^[\s;}]*(?:import|export)\s*\{([^}]*)\}/.exec(statement)?.[1]?.split(',') ?? [];
  const named = names.map((name) => name.trim()).filter((name) => name !== '');
  return named.length > 0 && named.every((name) => name.startsWith('type '));
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
    expect(IMPORTS).toContainEqual({ from: 'engine/tf.ts', to: '@tensorflow/tfjs-core', isType: false });
    expect(IMPORTS).toContainEqual({ from: 'cli/main.ts', to: 'errors.ts', isType: false });
    expect(IMPORTS).toContainEqual({ from: 'verification/subjects.ts', to: 'verification/metrics.ts', isType: false });
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

  test('of a system come from no other system', () => {
    const wrong = OWN_IMPORTS.filter(({ from, to }) => {
      const [own, other] = [systemOf(from), systemOf(to)];
      return own !== null && other !== null && own !== other;
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('of a system stay in systems/, but for files that are about one paper', () => {
    const found = OWN_IMPORTS.filter(({ from, to }) => partOf(from) !== 'systems' && systemOf(to) !== null);
    expect([...new Set(found.map(({ from }) => from))].sort()).toEqual(ABOUT_ONE_PAPER);
  });

  test('of data lead to no system', () => {
    const wrong = OWN_IMPORTS.filter(({ from, to }) => partOf(from) === 'data' && partOf(to) === 'systems');
    expect(wrong.map(show)).toEqual([]);
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

describe('outside systems/', () => {
  const words = /segIds?|\brej\b|SEG_TOKEN|clipInput|samInput|visual_model|mm_projector|text_hidden_fcs/;

  test('no line knows the words of a system', () => {
    const wrong = FILES.filter((file) => partOf(file) !== 'systems').flatMap((file) => {
      const lines = readFileSync(join(SRC, file), 'utf8').split('\n');
      return lines.flatMap((line, i) => (words.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : []));
    });
    expect(wrong).toEqual([]);
  });
});

/** The part that a browser needs: everything here, and everything that it imports. */
const BROWSER: readonly RegExp[] = [
  /^systems\/(?!catalogue\/|published-|\w+\/published\/|shared\/model-card)/,
  /^(networks|nn)\//,
  /^data\/image\/(?!size-mismatch)/,
  /^data\/text\//,
  /^features\/(image-features|feature-store)\.ts$/,
  /^checkpoints\/(weights|parts|not-finite|merge-lora|model-meta)\.ts$/,
];
/** Packages without Node: they run in a browser as they are. */
const PORTABLE: readonly string[] = [
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-layers',
  '@huggingface/tokenizers',
  'zod',
];
describe('the part for browsers', () => {
  const reached = new Set(FILES.filter((file) => BROWSER.some((pattern) => pattern.test(file))));
  for (const file of reached) {
    for (const { from, to, isType } of IMPORTS) if (from === file && !isType && to.endsWith('.ts')) reached.add(to);
  }

  test('imports no Node module', () => {
    const isNode = ({ to }: Import): boolean => !to.endsWith('.ts') && !PORTABLE.includes(packageName(to));
    expect(IMPORTS.filter((each) => reached.has(each.from) && !each.isType && isNode(each)).map(show)).toEqual([]);
  });

  test('uses no global of Node', () => {
    const users = [...reached].filter((file) => {
      const code = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      return (
        partOf(file) !== 'engine' && /(?<![\w.'])(?:Buffer|process|require|__dirname|setImmediate)\s*[.(]/.test(code)
      );
    });
    expect(users).toEqual([]);
  });
});

/** Name of the system that a file belongs to; null for what systems share. */
function systemOf(file: string): string | null {
  const [folder, name = '', ...rest] = file.split('/');
  return folder === 'systems' && rest.length > 0 && !['shared', 'catalogue'].includes(name) ? name : null;
}

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
