/** Many tensors together: totals and parts; and their names made fit for a terminal. */

/** A tensor as the summary needs it. */
export interface SummaryItem {
  readonly name: string;
  readonly dtype: string;
  readonly numbers: number;
  readonly bytes: number;
}

export interface Total extends Pick<SummaryItem, 'numbers' | 'bytes'> {
  readonly tensors: number;
}

/** Longest name in a table. */
const LONGEST_NAME = 120;

/** Control characters, invisible ones that change the order of text, line ends, halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A name from a file, fit for one cell of a table: nothing in it commands the terminal, and its middle is cut. */
export function printable(name: string): string {
  const characters = Array.from(name);
  const half = LONGEST_NAME / 2;
  const short =
    characters.length <= LONGEST_NAME
      ? name
      : `${characters.slice(0, half).join('')}…${characters.slice(1 - half).join('')}`;
  return short.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/**
 * Whether a name contains the pattern, or, where the pattern has a *, is matched by it whole: * stands for any
 * characters. Takes time in proportion to the length of both, whatever they are.
 */
export function matches(name: string, pattern: string): boolean {
  if (!pattern.includes('*')) return name.includes(pattern);
  const pieces = pattern.split('*');
  const first = pieces[0] as string;
  const last = pieces.at(-1) as string;
  if (!name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= name.length - last.length;
}

export function totalOf(items: readonly SummaryItem[]): Total {
  const sum = (of: (item: SummaryItem) => number): number => items.reduce((total, item) => total + of(item), 0);
  return { tensors: items.length, numbers: sum(({ numbers }) => numbers), bytes: sum(({ bytes }) => bytes) };
}

/** Totals of the groups that `keyOf` makes, in the order in which they begin. */
export function totalsBy(items: readonly SummaryItem[], keyOf: (item: SummaryItem) => string) {
  const groups = new Map<string, SummaryItem[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item)) ?? [];
    groups.set(keyOf(item), group);
    group.push(item);
  }
  return [...groups].map(([key, group]) => ({ key, total: totalOf(group) }));
}

/**
 * Which part of a model a tensor belongs to: what its name has behind the components that all names begin with, up to
 * two components, without numbers (of layers) and without the last (weight, bias).
 * @returns a function of names
 */
export function partsOf(names: readonly string[]): (name: string) => string {
  const common = commonComponents(names);
  return (name) => {
    const components = name.split('.').slice(common);
    const part = components.slice(0, Math.max(1, Math.min(2, components.length - 1)));
    const number = part.findIndex((component, i) => i > 0 && /^\d+$/.test(component));
    return (number < 0 ? part : part.slice(0, number)).join('.');
  };
}

/** How many components all names begin with; the last of a name is not counted. */
function commonComponents(names: readonly string[]): number {
  const first = names[0]?.split('.') ?? [];
  let common = first.length - 1;
  for (const name of names) {
    const components = name.split('.');
    const differs = first.findIndex((component, i) => component !== components[i] || i >= components.length - 1);
    common = Math.min(common, differs < 0 ? first.length : differs);
  }
  return Math.max(0, common);
}
