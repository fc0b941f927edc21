/**
 * Escaping for HTML, SVG and Markdown, and tables in both. Expressions and answers come from users and from a language
 * model: they are text, never markup.
 */

/** Control characters (of which XML allows three), halves of surrogate pairs, and two that are no characters. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r]|\p{Cs}|[\ufffe\uffff]/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and quoted attributes of HTML and SVG. Characters that XML forbids become U+FFFD. */
export function escapeMarkup(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd').replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

export class Markup {
  constructor(private readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

export type Piece = Markup | string | number | null | readonly Piece[];

/** Tag of templates: strings among the values are escaped, lists written one after another, null is left out. */
export function markup(texts: TemplateStringsArray, ...values: readonly Piece[]): Markup {
  return raw(String.raw({ raw: texts }, ...values.map(textOf)));
}

/** Existing markup. */
export function raw(text: string): Markup {
  return new Markup(text);
}

function textOf(value: Piece): string {
  if (value === null) return '';
  if (typeof value === 'number' || value instanceof Markup) return String(value);
  return typeof value === 'string' ? escapeMarkup(value) : value.map(textOf).join('\n');
}

/**
 * For text inside a line or table cell of GitHub Markdown: one line without formatting, links or HTML. Not for the
 * start of a line, where also "1." and "-" have a meaning.
 */
export function escapeMarkdown(text: string): string {
  return text
    .replace(UNPRINTABLE, '\ufffd')
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]#|~@$]|(?<=www)\.|:(?=\/\/|[\w+-]+:)/gi, '\\$&')
    .replace(/[&<>]/g, (character) => ENTITIES[character] ?? character)
    .trim();
}

/** At most `length` characters (code points), with "..." at the end of a cut text. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 3)).join('')}...`;
}

/** Table of a page, as HTML and as Markdown. */
export interface PageTable<Cell extends Piece = string> {
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Columns aligned left; the others hold figures. Default 1. */
  readonly left?: number;
  /** Class of each row; 'ours' sets it off, as our figures from those of the paper. */
  readonly rowClasses?: readonly string[];
}

export function tableHtml({ head, rows, left = 1, rowClasses }: PageTable<Piece>, className = 'dense'): Markup {
  const classed = (name: string): Markup | null => (name === '' ? null : markup` class="${name}"`);
  const classOf = (column: number): Markup | null => classed(column < left ? '' : 'figure');
  const heads = head.map((name, i) => markup`<th scope="col"${classOf(i)}>${name}</th>`);
  const body = rows.map((cells, row) => {
    return markup`<tr${classed(rowClasses?.[row] ?? '')}>${cells.map((cell, i) => markup`<td${classOf(i)}>${cell}</td>`)}</tr>`;
  });
  return markup`<div class="scroll"><table class="${className}">
<thead><tr>${heads}</tr></thead>
<tbody>
${body}
</tbody></table></div>`;
}

export function tableMarkdown({ head, rows, left = 1, rowClasses }: PageTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const lines = rows.map((cells, row) => {
    const texts = cells.map(escapeMarkdown);
    return line(rowClasses?.[row] === 'ours' ? texts.map((text) => `**${text}**`) : texts);
  });
  return [line(head.map(escapeMarkdown)), line(head.map((_, i) => (i < left ? '---' : '---:'))), ...lines].join('\n');
}
