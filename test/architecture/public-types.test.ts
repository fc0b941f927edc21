/**
 * The published types, as a strict program sees them that checks its libraries: complete without @types of any package,
 * and without TensorFlow.js, whose own types need a browser's.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import ts from 'typescript';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-types-'));
const installed = join(scratch, 'node_modules', 'gsva');

const USE = `import { loadGsva, type SegmentResult, UserError, type ErrorCode, STATUS_MEANING } from 'gsva';
const area = (result: SegmentResult): number => {
  if (result.status !== 'segmented') { const none: 0 = result.area; const box: null = result.box; return box ?? none; }
  const [xMin, yMin, xMax, yMax] = result.box;
  return result.mask.data.length + (xMax - xMin) * (yMax - yMin);
};
export const ask = async (signal?: { aborted: boolean; throwIfAborted(): void }): Promise<number> => {
  try {
    await using model = await loadGsva('tiny', { engine: 'wasm', threads: 1, precision: 'f32' });
    using scene = await model.encode('photo.jpg', { signal });
    const { results, unmatched } = await scene.segment(['x'], { mode: 'generate', maxTokens: 3, signal });
    const says: readonly string[] = results.map(({ status }) => STATUS_MEANING[status]);
    return results.map(area).length + unmatched.length + says.length;
  } catch (error) {
    const code: ErrorCode | null = error instanceof UserError ? error.code : null;
    return code === 'disposed' ? 0 : 1;
  }
};
`;
const WORK = `import { calibrate, convert, dataset, evaluate, loadModel, systems, train, type TrainOptions } from 'gsva';
export const work = async (options: Pick<TrainOptions, 'onUpdate'>, signal?: { aborted: boolean; throwIfAborted(): void }) => {
  using shapes = await dataset([{ image: 'a.png', expressions: [{ text: 'x', mask: [[0, 0, 9, 0, 9, 9]] }] }]);
  const { model, end } = await train({ config: { stage: 'gsva' }, data: shapes, out: 'runs/x', ...options, ...(signal ? { signal } : {}) });
  const { results, images } = await evaluate({ model, data: shapes, onImage: ({ records }) => records[0]?.iou, engine: { engine: 'wasm' } });
  const { best } = calibrate({ records: 'records.jsonl' });
  const { bytes } = await convert({ source: model, out: 'half', dtype: 'bf16' });
  const names: readonly string[] = (await systems()).map(({ name }) => name);
  const { parts } = await (await loadModel(model)).reply('a.png', 'what?', { maxTokens: 9 });
  const area: number = parts.reduce((sum, part) => sum + (part.status === 'segmented' ? part.mask.data.length : 0), 0);
  return { gIoU: results[0]?.gIoU ?? null, update: end.update, images, best, bytes, names, area };
};
`;
const WRONG = `import { loadGsva } from 'gsva';
export const ask = async (): Promise<unknown> => (await loadGsva()).segment('photo.jpg', ['x'], { mode: 'foo' });
`;

/** The declarations of src, as the build writes them, where a program would have installed them. */
beforeAll(() => {
  const { config } = ts.readConfigFile('tsconfig.build.json', ts.sys.readFile.bind(ts.sys)) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve('.'));
  const outDir = join(installed, 'dist');
  const program = ts.createProgram([resolve('src/index.ts')], {
    ...options,
    outDir,
    declarationDir: undefined,
    declaration: true,
    emitDeclarationOnly: true,
    incremental: false,
    tsBuildInfoFile: undefined,
    sourceMap: false,
  });
  // Only what the public types lead to: the whole tree would be checked on the way.
  const seen = new Set<string>();
  const emit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const own = resolve('src', file);
    const { emitSkipped } = program.emit(program.getSourceFile(`${own}.ts`), undefined, undefined, true);
    expect(emitSkipped).toBe(false);
    const text = readFileSync(join(outDir, `${file}.d.ts`), 'utf8');
    for (const [, path = ''] of text.matchAll(/from '(\.[^']+)\.js'/g)) emit(posix.join(posix.dirname(file), path));
  };
  emit('index');
  const exports = { '.': { types: './dist/index.d.ts', default: './dist/index.js' } };
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ name: 'gsva', type: 'module', exports }));
  writeFileSync(join(scratch, 'package.json'), JSON.stringify({ type: 'module' }));
  mkdirSync(join(scratch, 'src'));
  writeFileSync(join(scratch, 'src', 'use.ts'), USE);
  writeFileSync(join(scratch, 'src', 'work.ts'), WORK);
  writeFileSync(join(scratch, 'src', 'wrong.ts'), WRONG);
}, 300_000);
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function check(file: string, resolution: 'nodenext' | 'bundler', lib: readonly string[]): ts.Program {
  return ts.createProgram([join(scratch, 'src', file)], {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: resolution === 'bundler',
    skipLibCheck: false,
    target: ts.ScriptTarget.ES2022,
    module: resolution === 'nodenext' ? ts.ModuleKind.NodeNext : ts.ModuleKind.ESNext,
    moduleResolution: resolution === 'nodenext' ? ts.ModuleResolutionKind.NodeNext : ts.ModuleResolutionKind.Bundler,
    lib: lib.map((name) => `lib.${name}.d.ts`),
    types: [],
  });
}

const messages = (program: ts.Program): string[] =>
  ts.getPreEmitDiagnostics(program).map((found) => {
    return `${found.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(found.messageText, ' ')}`;
  });

test.each([
  ['nodenext', ['es2022']],
  ['bundler', ['es2022']],
  ['nodenext', ['es2022', 'esnext.disposable']],
  ['bundler', ['es2022', 'dom']],
] as const)('%s, lib %j: a strict program type-checks', (resolution, lib) => {
  for (const file of ['use.ts', 'work.ts']) expect(messages(check(file, resolution, lib))).toEqual([]);
});

test('they are the package’s own files alone, and what is wrong is found', () => {
  const program = check('wrong.ts', 'nodenext', ['es2022']);
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.includes('node_modules'));
  const foreign = files.filter(
    (file) =>
      !file.fileName.slice(file.fileName.lastIndexOf('node_modules')).includes('/gsva/') &&
      !program.isSourceFileDefaultLibrary(file),
  );
  expect(files.length).toBeGreaterThan(5);
  expect(foreign.map(({ fileName }) => fileName)).toEqual([]);
  expect(messages(program)).toEqual([expect.stringContaining('\'"foo"\' is not assignable to type')]);
});
