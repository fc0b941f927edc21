/**
 * Text in pictures. sharp draws SVG text with the fonts of the system; a bare server has none, and every letter would
 * become an empty box. There, letters are drawn from a 5×7 pixel font as rectangles.
 */
import sharp from 'sharp';
import { PIXEL_FONT } from './pixel-font.js';
import { escapeMarkup, shorten } from './markup.js';

export interface TextStyle {
  /** Of the letters' body, in pixels. */
  readonly size: number;
  readonly color: string;
  readonly bold?: boolean;
}

const FONT_FAMILY = "'DejaVu Sans', 'Noto Sans', 'Liberation Sans', Arial, Helvetica, sans-serif";

/** Whether the system has any font: then "A" and "W" look different. */
export async function hasSystemFonts(): Promise<boolean> {
  const [a, w] = await Promise.all(['A', 'W'].map(drawLetter));
  return a !== undefined && w !== undefined && !a.equals(w);
}

async function drawLetter(letter: string): Promise<Buffer> {
  const text = `<text x="4" y="24" font-size="24" font-family="${FONT_FAMILY}">${letter}</text>`;
  return sharp(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="40" height="32">${text}</svg>`))
    .raw()
    .toBuffer();
}

/** Draws text with the system's fonts or with the embedded one. */
export class TextPainter {
  constructor(private readonly systemFonts: boolean) {}

  /** One line starting at x, its baseline at y, shortened to about `maxWidth` pixels. */
  line(text: string, x: number, y: number, maxWidth: number, style: TextStyle): string {
    const fitted = this.fit(text.replace(/\s+/g, ' ').trim(), maxWidth, style);
    if (!this.systemFonts) return pixelText(fitted, x, y, style);
    const weight = style.bold === true ? ' font-weight="bold"' : '';
    return (
      `<text x="${x}" y="${y}" font-size="${style.size}" font-family="${FONT_FAMILY}" fill="${style.color}"${weight}>` +
      `${escapeMarkup(fitted)}</text>`
    );
  }

  /** An estimate of the width in pixels; exact for the embedded font. */
  width(text: string, style: TextStyle): number {
    return Array.from(text).length * this.advance(style);
  }

  /** Splits text at spaces into at most `most` lines of about `maxWidth`; the last is shortened when drawn. */
  wrap(text: string, maxWidth: number, most: number, style: TextStyle): string[] {
    const lines: string[] = [];
    for (const word of text.split(/\s+/).filter((part) => part !== '')) {
      const last = lines.at(-1);
      const joined = last === undefined ? word : `${last} ${word}`;
      if (last !== undefined && (this.width(joined, style) <= maxWidth || lines.length === most)) {
        lines[lines.length - 1] = joined;
      } else lines.push(word);
    }
    return lines;
  }

  private fit(text: string, maxWidth: number, style: TextStyle): string {
    return shorten(text, Math.max(4, Math.floor(maxWidth / this.advance(style) + 1e-6)));
  }

  /** Width of a letter: sans-serif fonts average 0.6 of their size, bold ones a little more. */
  private advance(style: TextStyle): number {
    if (!this.systemFonts) return 6 * dotSize(style);
    return style.size * (style.bold === true ? 0.64 : 0.61);
  }
}

/** Side of one dot of the pixel font: seven of them make the height of a capital. */
function dotSize(style: TextStyle): number {
  return Math.max(1, Math.round(style.size / 9));
}

function pixelText(text: string, x: number, y: number, style: TextStyle): string {
  const dot = dotSize(style);
  // Accents are dropped (é → e); what the font has no letter for becomes a box, as elsewhere.
  const letters = Array.from(text.normalize('NFD').replace(/\p{M}/gu, ''));
  let d = '';
  for (const [index, letter] of letters.entries()) {
    const columns = PIXEL_FONT.get(letter) ?? BOX;
    for (const [column, bits] of columns.entries()) {
      for (let row = 0; row < 8; row++) {
        if ((bits & (1 << row)) === 0) continue;
        d += `M${x + (index * 6 + column) * dot} ${y + (row - 7) * dot}h${dot}v${dot}h${-dot}z`;
      }
    }
  }
  return `<path fill="${style.color}" shape-rendering="crispEdges" d="${d}"/>`;
}

const BOX: readonly number[] = [0x7f, 0x41, 0x41, 0x41, 0x7f];
