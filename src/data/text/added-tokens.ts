/** Added tokens, found in the unchanged text as transformers' slow tokenizers do: leftmost first, then longest. */
import type { AddedTokenJson } from './tokenizer-files.js';

export class AddedTokens {
  private readonly byContent = new Map<string, AddedTokenJson>();
  private readonly byId = new Map<number, AddedTokenJson>();
  private pattern: RegExp | null = null;

  /** @param strips whether a token takes the white space on both sides of it, whatever its own flags are */
  constructor(private readonly strips: (token: AddedTokenJson) => boolean) {}

  get all(): IterableIterator<AddedTokenJson> {
    return this.byContent.values();
  }

  get(content: string): AddedTokenJson | undefined {
    return this.byContent.get(content);
  }

  at(id: number): AddedTokenJson | undefined {
    return this.byId.get(id);
  }

  /** Takes a token over unless there is one of its name already. */
  add(token: AddedTokenJson): void {
    if (this.byContent.has(token.content)) return;
    this.byContent.set(token.content, token);
    this.byId.set(token.id, token);
    this.pattern = null;
  }

  /** The text cut at added tokens: what lies between, and tokens; no part is empty. */
  split(text: string): (string | AddedTokenJson)[] {
    this.pattern ??= patternOf([...this.byContent.keys()]);
    const parts: (string | AddedTokenJson)[] = [];
    let at = 0;
    for (const { 0: found, index } of text.matchAll(this.pattern)) {
      parts.push(text.slice(at, index), this.byContent.get(found) as AddedTokenJson);
      at = index + found.length;
    }
    parts.push(text.slice(at));
    this.stripAround(parts);
    return parts.filter((part) => part !== '');
  }

  /** lstrip, rstrip and single_word, in the order of transformers' `tokenize`. Texts and tokens take turns. */
  private stripAround(parts: (string | AddedTokenJson)[]): void {
    parts.forEach((token, i) => {
      if (typeof token === 'string') return;
      const both = this.strips(token);
      if (both || token.rstrip) parts[i + 1] = withoutSpace(parts[i + 1] as string, 'start');
      if (both || token.lstrip) parts[i - 1] = withoutSpace(parts[i - 1] as string, 'end');
      if (!token.single_word) return;
      const [left, right] = [parts[i - 1] as string, parts[i + 1] as string];
      if (left !== '' && !left.endsWith(' ')) parts[i - 1] = left + token.content;
      else if (right !== '' && !right.startsWith(' ')) parts[i + 1] = token.content + right;
      else return;
      parts[i] = '';
    });
  }
}

/** Whether Python's `str.strip` drops the character: other than JavaScript's, four separators and U+0085, but no U+FEFF. */
function isSpace(character: string): boolean {
  return character !== '\ufeff' && (character.trim() === '' || '\u001c\u001d\u001e\u001f\u0085'.includes(character));
}

function withoutSpace(text: string, side: 'start' | 'end'): string {
  let [from, to] = [0, text.length];
  if (side === 'start') while (from < to && isSpace(text.charAt(from))) from++;
  else while (to > from && isSpace(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

/** The longest first: of alternatives that match at one place, the first is taken. */
function patternOf(contents: readonly string[]): RegExp {
  const longestFirst = [...contents].sort((a, b) => b.length - a.length);
  return new RegExp(
    longestFirst.map((content) => content.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|') || '(?!)',
    'g',
  );
}
