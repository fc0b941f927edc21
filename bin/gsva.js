#!/usr/bin/env node
// The program is src/cli/main.ts; this file only finds its build.
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  await (await import(main.href)).main();
} else {
  process.stderr.write('gsva: not built yet (dist/cli/main.js is missing); run: npm run build\n');
  process.exitCode = 1;
}
