/** README, docs and the READMEs of folders: commands are those that the program takes, links and named files exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseLine } from '../helpers/parse-line.js';
import { shellCommands } from '../helpers/shell-commands.js';

const DOCS = readdirSync('docs').filter((name) => name.endsWith('.md'));
const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'checkpoints/README.md',
  'data/README.md',
  ...DOCS.map((name) => join('docs', name)),
];
const textOf = (page: string): string => readFileSync(page, 'utf8');

/** In blocks of shell and in indented ones. */
function commandsIn(page: string): string[][] {
  const indented = [...textOf(page).matchAll(/^ {4}(gsva .*)$/gm)].map((match) => match[1] as string);
  const commands = [...shellCommands(textOf(page)), ...shellCommands(`\`\`\`sh\n${indented.join('\n')}\n\`\`\`\n`)];
  return commands.flatMap((words) => {
    const at = words.indexOf('gsva');
    return at < 0 ? [] : [words.slice(at + 1)];
  });
}

const COMMANDS = new Map(PAGES.flatMap(commandsIn).map((words) => [words.join(' '), words]));

test('there are commands on the pages', () => {
  expect(COMMANDS.size).toBeGreaterThan(80);
});

test.each([...COMMANDS])('gsva %s', async (_, words) => {
  await expect(parseLine(words)).resolves.toBeInstanceOf(Object);
});

test.each(PAGES)('the links of %s lead to files and headings', (page) => {
  const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string);
  const dead = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [path = '', heading] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    return !existsSync(target) || (heading !== undefined && !headingsOf(target).includes(heading));
  });
  expect(dead).toEqual([]);
});

test.each(PAGES)('the files of this project that %s names exist', (page) => {
  const named = [
    ...textOf(page).matchAll(/(?<![\w./-])(?:src|test|bin|configs|findings)\/[\w./-]+\.(?:ts|js|sh|py|json5?)\b/g),
  ];
  expect(named.map(([path]) => path).filter((path) => !existsSync(path))).toEqual([]);
});

test('the index of docs has every page', () => {
  const index = textOf('docs/README.md');
  expect(DOCS.filter((name) => name !== 'README.md' && !index.includes(`(${name})`))).toEqual([]);
});

/** Anchors as GitHub makes them from headings (a repeated one is numbered), and those that the page names itself. */
function headingsOf(page: string): string[] {
  const seen = new Map<string, number>();
  const headings = [...textOf(page).matchAll(/^#+ (.*)$/gm)].map((match) => {
    const slug = (match[1] as string)
      .toLowerCase()
      .replace(/[^\p{L}\d\s_-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
  return [...headings, ...[...textOf(page).matchAll(/<a id="([^"]+)">/g)].map((match) => match[1] as string)];
}
