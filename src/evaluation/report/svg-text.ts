/**
 * Pictures with text. sharp draws SVG text with the fonts of the system; a bare server has none, and every letter would
 * become an empty box. There, letters are drawn from a 5×7 pixel font as rectangles.
 */
import sharp, { type OverlayOptions } from 'sharp';
import type { RgbImage } from '../../types.js';
import { escapeMarkup, shorten } from './markup.js';

export interface TextStyle {
  /** Size of the letters' body in pixels. */
  readonly size: number;
  readonly color: string;
  readonly bold?: boolean;
}

const FONT_FAMILY = "'DejaVu Sans', 'Noto Sans', 'Liberation Sans', Arial, Helvetica, sans-serif";

/** Whether the system has any font: then "A" and "W" look different. */
async function hasSystemFonts(): Promise<boolean> {
  const draw = (letter: string): Promise<Buffer> => {
    const text = `<text x="4" y="24" font-size="24" font-family="${FONT_FAMILY}">${letter}</text>`;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="32">${text}</svg>`;
    return sharp(Buffer.from(svg)).raw().toBuffer();
  };
  return !(await draw('A')).equals(await draw('W'));
}

/** Margin of a sheet, and space between its parts. */
export const [MARGIN, GAP] = [24, 14];

/** A white picture that grows downwards: pictures, shapes, and text in the system's fonts or the embedded one. */
export class Sheet {
  /** Top of the next part. */
  y = MARGIN;
  private readonly svg: string[] = [];
  private readonly pictures: OverlayOptions[] = [];

  private constructor(
    readonly width: number,
    private readonly systemFonts: boolean,
  ) {}

  /** @param systemFonts detected by default */
  static async ofWidth(width: number, systemFonts?: boolean): Promise<Sheet> {
    return new Sheet(width, systemFonts ?? (await hasSystemFonts()));
  }

  /** Pixels between the margins. */
  get inner(): number {
    return this.width - 2 * MARGIN;
  }

  shape(svg: string): void {
    this.svg.push(svg);
  }

  picture({ data, height, width }: RgbImage, left: number, top: number): void {
    const input = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.pictures.push({ input, raw: { width, height, channels: 3 }, left, top });
  }

  /** One line starting at x, its baseline at y, shortened to about `maxWidth` pixels. */
  line(text: string, x: number, y: number, maxWidth: number, style: TextStyle): void {
    const letters = Math.max(4, Math.floor(maxWidth / this.advance(style) + 1e-6));
    const fitted = shorten(text.replace(/\s+/g, ' ').trim(), letters);
    const weight = style.bold === true ? ' font-weight="bold"' : '';
    this.shape(
      this.systemFonts
        ? `<text x="${x}" y="${y}" font-size="${style.size}" font-family="${FONT_FAMILY}" fill="${style.color}"${weight}>` +
            `${escapeMarkup(fitted)}</text>`
        : pixelText(fitted, x, y, style),
    );
  }

  /** Text below what there is, split at spaces into at most `most` lines; the last is shortened. */
  paragraph(text: string, style: TextStyle, most: number): void {
    const lines: string[] = [];
    for (const word of text.split(/\s+/).filter((part) => part !== '')) {
      const last = lines.at(-1);
      const joined = last === undefined ? word : `${last} ${word}`;
      if (last !== undefined && (this.widthOf(joined, style) <= this.inner || lines.length === most)) {
        lines[lines.length - 1] = joined;
      } else lines.push(word);
    }
    for (const line of lines) {
      this.line(line, MARGIN, this.y + style.size, this.inner, style);
      this.y += Math.round(style.size * 1.45);
    }
  }

  /** An estimate of the width in pixels; exact for the embedded font. */
  widthOf(text: string, style: TextStyle): number {
    return Array.from(text).length * this.advance(style);
  }

  png(): Promise<Buffer> {
    const { width, y: height } = this;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${this.svg.join('')}</svg>`;
    return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
      .composite([...this.pictures, { input: Buffer.from(svg), left: 0, top: 0 }])
      .png()
      .toBuffer();
  }

  /** Width of a letter: sans-serif fonts average 0.6 of their size, bold ones a little more. */
  private advance(style: TextStyle): number {
    if (!this.systemFonts) return 6 * dotSize(style);
    return style.size * (style.bold === true ? 0.64 : 0.61);
  }
}

/** Side of one dot of the pixel font: seven make the height of a capital. */
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
const FIRST = 0x20;
/** Ten hexadecimal digits per letter, from the space to the tilde. */
const COLUMNS = [
  '0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649562050 0000070000',
  '001c224100 0041221c00 2a1c7f1c2a 08083e0808 0080700000 0808080808 0060600000 2010080402',
  '3e5149453e 00427f4000 4261514946 2141454b31 1814127f10 2745454539 3c4a494930 0171090503',
  '3649494936 064949291e 0036360000 0080763600 0814224100 1414141414 0041221408 0201510906',
  '3e415d594e 7c1211127c 7f49494936 3e41414122 7f4141413e 7f49494941 7f09090901 3e41495a78',
  '7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e',
  '7f09090906 3e4151215e 7f09192946 2649494932 01017f0101 3f4040403f 1f2040201f 3f4038403f',
  '6314081463 0304780403 6151494543 007f414100 0204081020 0041417f00 0402010204 4040404040',
  '0001020400 2054545478 7f48444438 3844444428 384444487f 3854545418 087e090102 18a4a4a47c',
  '7f08040478 00447d4000 4080847d00 7f10284400 00417f4000 7c04180478 7c08040478 3844444438',
  'fc24242418 18242424fc 7c08040408 4854545424 043f444020 3c4040207c 1c2040201c 3c4030403c',
  '4428102844 1ca0a0a07c 4464544c44 0008364100 00007f0000 0041360800 0402040804',
]
  .join(' ')
  .split(' ');

export const PIXEL_FONT: ReadonlyMap<string, readonly number[]> = new Map(
  COLUMNS.map((digits, index) => [
    String.fromCharCode(FIRST + index),
    [0, 2, 4, 6, 8].map((at) => parseInt(digits.slice(at, at + 2), 16)),
  ]),
);
