/** Commands in the `sh` blocks of a page, as words; `for … in …; do` loops are unrolled. */
export function shellCommands(page: string): string[][] {
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] as string);
  return blocks.flatMap((block) => commandsOf(block.replace(/\\\n\s*/g, '').split('\n')));
}

function commandsOf(lines: readonly string[]): string[][] {
  const commands: string[][] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = (lines[at] as string).trim();
    const loop = /^for (\w+) in (.*); do$/.exec(line);
    if (loop !== null) {
      const end = endOf(lines, at);
      const body = lines.slice(at + 1, end);
      for (const value of (loop[2] as string).split(' ')) {
        commands.push(...commandsOf(body.map((text) => text.replaceAll(`$${loop[1] as string}`, value))));
      }
      at = end;
      continue;
    }
    const words = (line.replace(/(^|\s)#.*$/, '').match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map((word) => {
      return word.replaceAll('"', '');
    });
    if (words.length > 0) commands.push(words);
  }
  return commands;
}

/** The line of the `done` that closes the loop which begins at `start`. */
function endOf(lines: readonly string[], start: number): number {
  let depth = 0;
  for (let at = start; at < lines.length; at++) {
    const line = (lines[at] as string).trim();
    if (line.startsWith('for ')) depth++;
    if (line === 'done' && --depth === 0) return at;
  }
  throw new Error(`no done for "${lines[start] as string}"`);
}
