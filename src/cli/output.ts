/** Results on stdout: tables and lines for people, or one JSON object for programs (`--json`), never both. */
import Table from 'cli-table3';
import type { Colors } from 'picocolors/types.js';

/** Where text goes; process.stdout, process.stderr or a test's buffer. */
export interface TextSink {
  write(text: string): unknown;
}

/** One cell: numbers are printed right-aligned, as they are. */
export type Cell = string | number;

export interface TableOptions {
  /** Per column; numbers are aligned right where this says nothing. */
  readonly align?: readonly ('left' | 'right')[];
}

/** Prints results in the form that the user asked for. */
export class Output {
  constructor(
    private readonly sink: TextSink,
    /** Whether a program reads the answer: then only `json` prints, else only the other methods. */
    readonly isJson: boolean,
    readonly colors: Colors,
  ) {}

  /** Prints a line for a person. */
  line(text = ''): void {
    if (!this.isJson) this.sink.write(`${text}\n`);
  }

  /** Prints a table for a person; every row must have as many cells as the head. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[], options: TableOptions = {}): void {
    if (this.isJson) return;
    const isNumeric = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
    const table = new Table({
      head: head.map((title) => this.colors.bold(title)),
      style: { head: [], border: [], compact: true },
      colAligns: isNumeric.map((numeric, column) => options.align?.[column] ?? (numeric ? 'right' : 'left')),
      chars: PLAIN_BORDERS,
    });
    for (const row of rows) table.push([...row]);
    // cli-table3 pads the last column too; trailing blanks would only be in the way of diff and copy.
    this.sink.write(`${table.toString().replace(/[ \t]+$/gm, '')}\n`);
  }

  /**
   * Prints a table of any length: cli-table3 takes time with the square of it (minutes for 50 000 rows). Cells are
   * printed as they are, without colours in them.
   */
  list(head: readonly string[], rows: readonly (readonly Cell[])[], { align = [] }: TableOptions = {}): void {
    if (this.isJson) return;
    const texts = [head, ...rows].map((row) => row.map(String));
    const widths = head.map((_, column) => texts.reduce((most, row) => Math.max(most, (row[column] ?? '').length), 0));
    texts.forEach((row, i) => {
      const cells = row.map((cell, column) => {
        const width = widths[column] ?? 0;
        return align[column] === 'right' ? cell.padStart(width) : cell.padEnd(width);
      });
      const line = ` ${cells.join('   ')}`.trimEnd();
      this.line(i === 0 ? this.colors.bold(line) : line);
    });
  }

  /** Prints the one JSON object that answers the command. NaN and infinities become null, as JSON has none. */
  json(value: object): void {
    if (this.isJson) this.sink.write(`${JSON.stringify(value)}\n`);
  }
}

const PLAIN_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' ',
};
