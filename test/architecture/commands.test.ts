/** Proves that a command of this program in a message is one that works where it is said: it comes from src/program.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import ts from 'typescript';

const COMMANDS =
  'train|eval|vqa|segment|chat|verify|report|convert|merge|export|inspect|data|demo|ablate|doctor|plan|bench|setup|models';
const COMMAND = new RegExp(
  `\\bgsva (?:${COMMANDS})\\b|\\bnpx gsva\\b|\\bbin/gsva\\.js (?:${COMMANDS})\\b|\\bnpm ci\\b`,
);

/** Where the program is named, not advised: who wrote a file, who says something; documents that are read elsewhere. */
const NAMES: readonly (readonly [file: string, text: string])[] = [
  ['workflows/ablate.ts', "Written by `gsva ablate`: the rows of the paper's ablations"],
  ['cli/commands/train.ts', 'gsva train: --overfit failed: '],
  ['cli/commands/plan.ts', '--check compares with `gsva bench`:'],
  ['cli/commands/setup-tensorflow.ts', 'gsva verify: '],
  ['synthetic/writer.ts', 'Synthetic scenes of coloured shapes (gsva data synth)'],
  ['synthetic/writer.ts', 'so `gsva data synth` has not written it'],
  ['evaluation/report/analysis-data.ts', 'stored by gsva report calibrate --store'],
  ['systems/shared/model-card.ts', '```sh\ngsva segment --model FOLDER'],
  ['program.ts', 'npm ci'],
  ['program.ts', 'npx gsva'],
  ['setup/tensorflow-setup.ts', 'so `gsva setup tensorflow` did not make '],
  ['training/distributed/watch-thread.ts', 'gsva train: the job ends: '],
];

/** Texts of a file's string literals and templates, without those of a command's examples, which `runnable` rewrites. */
function textsOf(path: string): string[] {
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node) && node.name.getText() === 'examples') return;
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      texts.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true));
  return texts;
}

const found = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => textsOf(join('src', file)).map((text) => ({ file: file.replaceAll('\\', '/'), text })))
  .filter(({ text }) => COMMAND.test(text));

test('no message names a command but by gsvaCommand', () => {
  const advised = found.filter(({ file, text }) => !NAMES.some(([at, name]) => at === file && text.includes(name)));
  expect(advised).toEqual([]);
});

test('every exception is still there', () => {
  const gone = NAMES.filter(([at, name]) => !found.some(({ file, text }) => at === file && text.includes(name)));
  expect(gone).toEqual([]);
});
