/** Tables of a page, as HTML and as Markdown. */
import { escapeMarkdown, type Markup, markup, type Piece } from './markup.js';

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
