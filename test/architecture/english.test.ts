/** Proves the rules of design.md for comments and messages: doc comments begin with a noun, and some words are not used. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import ts from 'typescript';

/** Words with a plainer one: next to, in addition to; reported, notified; again, redrawn; per, N; absent, missing. */
const AVOIDED = /\b(?:beside|told|anew|so many|not there)\b/i;

interface Found {
  readonly file: string;
  readonly text: string;
}

const FILES = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'));

/** Comments, as one line each, and texts of strings and templates. */
function textsOf(file: string): { readonly comments: readonly string[]; readonly strings: readonly string[] } {
  const source = readFileSync(join('src', file), 'utf8');
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const comments = new Set<string>();
  const strings: string[] = [];
  const visit = (node: ts.Node): void => {
    for (const range of ts.getLeadingCommentRanges(source, node.getFullStart()) ?? []) {
      comments.add(source.slice(range.pos, range.end).replace(/\s*\n\s*\*?\s*/g, ' '));
    }
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      strings.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  for (const match of source.matchAll(/(?<=[;{},]) \/\/ .*$/gm)) comments.add(match[0]);
  return { comments: [...comments], strings };
}

function findings(files: readonly string[], isWrong: (text: string, isComment: boolean) => boolean): Found[] {
  return files.flatMap((file) => {
    const { comments, strings } = textsOf(file);
    const wrong = [
      ...comments.filter((text) => isWrong(text, true)),
      ...strings.filter((text) => isWrong(text, false)),
    ];
    return wrong.map((text) => ({ file, text }));
  });
}

const lacksNoun = (text: string, isComment: boolean): boolean => isComment && /^\/\*\*\s*(?:What|Of)\b/.test(text);
const isAvoided = (text: string): boolean => AVOIDED.test(text);

test('doc comments begin with a noun, not with "What" or "Of"', () => {
  expect(findings(FILES, lacksNoun)).toEqual([]);
});

test('comments and messages use no avoided word', () => {
  expect(findings(FILES, isAvoided)).toEqual([]);
});
