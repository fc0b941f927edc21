/**
 * Makes docs/api.md: the introduction stays as it is written, examples/train-and-evaluate.mjs is put into it, and below the
 * mark stands what the doc comments of src/index.ts say (typedoc). `npm run docs`; with --check the page is compared.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs', 'api.md');
const MARK = '<!-- Made by npm run docs of the doc comments; changes below are lost. -->\n';
const SCRIPT = /(<!-- examples\/train-and-evaluate.mjs -->\n\n)(?: {4}.*\n|\n)*?(?=\S)/;

const scratch = mkdtempSync(join(tmpdir(), 'gsva-api-'));
try {
  const typedoc = join(root, 'node_modules', 'typedoc', 'bin', 'typedoc');
  execFileSync(process.execPath, [typedoc, '--out', scratch, '--logLevel', 'Error'], { cwd: root, stdio: 'inherit' });
  const reference = readFileSync(join(scratch, 'api.md'), 'utf8')
    .replace(/^(#+) /gm, '#$1 ')
    .trim();
  const written = readFileSync(page, 'utf8');
  const script = readFileSync(join(root, 'examples', 'train-and-evaluate.mjs'), 'utf8');
  const indented = script.replace(/^(?=.)/gm, '    ');
  const introduction = written.slice(0, written.indexOf(MARK)).replace(SCRIPT, (_, mark) => `${mark}${indented}\n`);
  const made = `${introduction}${MARK}\n# Reference\n\n${reference}\n`;
  if (!process.argv.includes('--check')) writeFileSync(page, made);
  else if (made !== written) {
    process.stderr.write('docs/api.md is not what the doc comments make; run npm run docs and commit it.\n');
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
