/**
 * Measures how long a reader takes to be ready, and in how much memory, for gRefCOCO's files with made-up contents: by
 * default 20,000 images and 280,000 expressions. Works on what has been built (npm run build):
 *
 *   node test/fuzz/refer-scale.mjs [--images 20000] [--annotations 12] [--expressions 14] [--points 40] [--keep DIR]
 *
 * With `--points 180` instances.json is longer than a string of V8 can be. Fails beyond 10 s or 1.5 GB. Files are made in
 * a folder of the system's temporary files, or in DIR, where they are kept and found again; they are read in a process
 * of its own. test/data/refer-scale.test.ts does the same in small.
 */
import { execFileSync } from 'node:child_process';
import console from 'node:console';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { writeReferFiles } from './refer-scale-files.mjs';

const MOST_SECONDS = 10;
const MOST_BYTES = 1.5e9;

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '20000' },
    annotations: { type: 'string', default: '12' },
    expressions: { type: 'string', default: '14' },
    points: { type: 'string', default: '40' },
    keep: { type: 'string' },
    read: { type: 'string' },
  },
});

if (values.read !== undefined) {
  const { GRefCoco } = await import(pathToFileURL(resolve('dist/data/refer/refcoco.js')).href);
  const startedAt = performance.now();
  const dataset = GRefCoco.open(values.read, 'train');
  const seconds = (performance.now() - startedAt) / 1000;
  const expressions = dataset.images.reduce((sum, image) => sum + image.expressions.length, 0);
  const result = { images: dataset.images.length, expressions, seconds, bytes: process.resourceUsage().maxRSS * 1024 };
  console.log(JSON.stringify(result));
} else {
  const dir = values.keep ?? mkdtempSync(join(tmpdir(), 'gsva-scale-'));
  const [refs, instances] = ['grefs(unc).json', 'instances.json'].map((name) =>
    join(dir, 'refer_seg', 'grefcoco', name),
  );
  try {
    if (!existsSync(instances)) {
      writeReferFiles(dir, {
        images: Number(values.images),
        annotationsPerImage: Number(values.annotations),
        expressionsPerImage: Number(values.expressions),
        points: Number(values.points),
      });
    }
    const output = execFileSync(process.execPath, [process.argv[1], '--read', dir], { encoding: 'utf8' });
    const { images, expressions, seconds, bytes } = JSON.parse(output);
    const megabytes = (path) => (statSync(path).size / 1e6).toFixed(0);
    console.log(`files          ${megabytes(refs)} MB and ${megabytes(instances)} MB`);
    console.log(`read           ${images} images, ${expressions} expressions`);
    console.log(`ready after    ${seconds.toFixed(2)} s`);
    console.log(`most memory    ${(bytes / 1e6).toFixed(0)} MB`);
    if (seconds > MOST_SECONDS || bytes > MOST_BYTES) process.exitCode = 1;
  } finally {
    if (values.keep === undefined) rmSync(dir, { recursive: true });
  }
}
