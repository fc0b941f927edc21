#!/usr/bin/env node
// The program is src/cli/main.ts; this file only finds its build.
import { existsSync } from 'node:fs';

const at = (path) => new URL(path, import.meta.url);
if (existsSync(at('../dist/cli/main.js'))) {
  await (await import(at('../dist/cli/main.js').href)).main();
} else {
  const mend = existsSync(at('../src'))
    ? 'run: npm run build'
    : 'the package was packed without its build (npm ran no scripts?); install it again, without --ignore-scripts';
  process.stderr.write(`gsva: not built (dist/cli/main.js is missing); ${mend}\n`);
  process.exitCode = 1;
}
