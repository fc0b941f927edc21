/** Results on stdout: tables and lines for people, or one JSON object for programs (`--json`), never both. */
import { stripVTControlCharacters } from 'node:util';
import type { Colors } from 'picocolors/types.js';

/** One cell: numbers are printed right-aligned, as they are. */
export type Cell = string | number;

export class Output {
  constructor(
    private readonly sink: { write(text: string): unknown; readonly isTTY?: boolean | undefined },
    /** Whether a program reads the answer: then only `json` prints, else only the other methods. */
    readonly isJson: boolean,
    readonly colors: Colors,
    private readonly beforeWrite: () => void = () => undefined,
  ) {}

  line(text = ''): void {
    if (!this.isJson) this.write(text);
  }

  /** Prints a part of a line that is still being made, on a terminal; elsewhere nothing. @returns whether it did */
  part(text: string): boolean {
    if (this.isJson || this.sink.isTTY !== true) return false;
    this.beforeWrite();
    this.sink.write(text);
    return true;
  }

  /**
   * A table; every row has as many cells as the head. Columns of numbers alone are aligned right, and so are those whose
   * title ends with ">", which is not printed.
   */
  table(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
    const isRight = head.map((title, column) => {
      return title.endsWith('>') || (rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
    });
    const titles = head.map((title) => title.replace(/>$/, ''));
    const texts = [titles, ...rows].map((row) => row.map((cell) => String(cell).replace(/\s*\n\s*/g, ' ')));
    const widths = head.map((_, column) => texts.reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), 0));
    texts.forEach((row, i) => {
      const cells = row.map((cell, column) => {
        const blanks = ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell)));
        const shown = i === 0 ? this.colors.bold(cell) : cell;
        return isRight[column] === true ? blanks + shown : shown + blanks;
      });
      this.line(` ${cells.join('   ')}`.trimEnd());
    });
  }

  /** Prints the one JSON object that answers the command. NaN and infinities become null, as JSON has none. */
  json(value: object): void {
    if (this.isJson) this.write(JSON.stringify(value));
  }

  private write(text: string): void {
    this.beforeWrite();
    this.sink.write(`${text}\n`);
  }
}

const ASCII = /^[\x20-\x7e]*$/;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns of a terminal that a text takes: colours and accents take none, Chinese characters two. */
function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  return [...stripVTControlCharacters(text)].reduce((sum, c) => sum + (NO_WIDTH.test(c) ? 0 : WIDE.test(c) ? 2 : 1), 0);
}
