'use strict';
/** Runs command lines (JSON, one after another) on the sources, and prints which of them were loaded after each. */
const { sep, relative, resolve } = require('node:path');
const { PassThrough } = require('node:stream');
require('./load-typescript.cjs');
const { run } = require('../../src/cli/main.ts');

const sources = resolve(__dirname, '..', '..', 'src');

function loaded() {
  const files = Object.keys(require.cache).filter((path) => path.startsWith(sources + sep));
  return files.map((path) => relative(sources, path).split(sep).join('/'));
}

async function main() {
  const answers = [];
  for (const words of JSON.parse(process.argv[2])) {
    const [stdout, stderr] = [new PassThrough().resume(), new PassThrough().resume()];
    const code = await run(words, {
      stdin: new PassThrough(),
      stdout,
      stderr,
      env: {},
      signal: new AbortController().signal,
    });
    answers.push({ code, modules: loaded() });
  }
  process.stdout.write(JSON.stringify(answers));
}
void main();
