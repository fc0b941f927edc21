/**
 * One picture of a sample: the expressions, the image, the ground truth if any, the prediction, a legend with the
 * outcome of each expression, and the masks of each expression alone.
 */
import sharp from 'sharp';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import type { RgbImage } from '../../types.js';
import { displayScale } from './enlarge.js';
import { expressionColor, hexColor } from './palette.js';
import { drawTiles } from './expression-tiles.js';
import {
  type ExpressionOutcome,
  type ReportSample,
  type Verdict,
  formatFigure,
  judgeSample,
  sampleHeading,
} from './report-data.js';
import { drawSample } from './scene-pictures.js';
import { TextPainter, type TextStyle, hasSystemFonts } from './svg-text.js';

const MARGIN = 24;
const GAP = 14;
const CAPTION_ROW = 22;
const LEGEND_ROW = 28;
/** Narrower panels would cut their legend. */
const LEAST_WIDTH = 640;
/** Longer legends end with a line that counts the rest. */
const MOST_LEGEND_ROWS = 40;

const HEADING: TextStyle = { size: 17, color: '#1d2433', bold: true };
const CAPTION: TextStyle = { size: 12, color: '#5b667a' };
const ENTRY: TextStyle = { size: 15, color: '#1d2433' };
const VERDICT_COLOR: Readonly<Record<NonNullable<Verdict>, string>> = {
  right: '#0b7a53',
  inexact: '#a36a00',
  wrong: '#c22a43',
};

/** The panel as a PNG file's bytes. `systemFonts` is detected by default. */
export async function panelPng(sample: ReportSample, systemFonts?: boolean): Promise<Buffer> {
  const painter = new TextPainter(systemFonts ?? (await hasSystemFonts()));
  const drawn = drawSample(sample, displayScale(sample.image, sample.targets.length === 0 ? 448 : 384));
  const pictures: { readonly caption: string; readonly image: RgbImage }[] = [
    { caption: 'Image', image: drawn.image },
    ...(drawn.truth === null ? [] : [{ caption: 'Ground truth', image: drawn.truth }]),
    { caption: 'Prediction', image: drawn.prediction },
  ];
  const pictureWidth = drawn.image.width;
  const rowWidth = pictures.length * pictureWidth + (pictures.length - 1) * GAP;
  const width = Math.max(LEAST_WIDTH, rowWidth + 2 * MARGIN);
  const inner = width - 2 * MARGIN;

  const svg: string[] = [];
  let y = MARGIN;
  const paragraph = (text: string, style: TextStyle, most: number): void => {
    for (const line of painter.wrap(text, inner, most, style)) {
      svg.push(painter.line(line, MARGIN, y + style.size, inner, style));
      y += Math.round(style.size * 1.45);
    }
  };
  paragraph(sampleHeading(sample), HEADING, 3);
  y += 8;
  const left = Math.round((width - rowWidth) / 2);
  const placed = pictures.map(({ caption, image }, index) => {
    const x = left + index * (pictureWidth + GAP);
    svg.push(painter.line(caption, x, y + CAPTION.size, pictureWidth, CAPTION));
    return { image, left: x, top: y + CAPTION_ROW };
  });
  y += CAPTION_ROW + drawn.image.height + GAP;
  const outcomes = judgeSample(sample);
  const listed = outcomes.slice(0, MOST_LEGEND_ROWS);
  const noteX = MARGIN + inner - Math.max(0, ...listed.map((outcome) => painter.width(noteOf(outcome), ENTRY)));
  for (const [index, outcome] of listed.entries()) {
    svg.push(legendEntry(painter, outcome, index, y, Math.max(MARGIN + inner / 4, noteX), MARGIN + inner));
    y += LEGEND_ROW;
  }
  if (outcomes.length > MOST_LEGEND_ROWS) {
    const rest = `and ${outcomes.length - MOST_LEGEND_ROWS} more expressions`;
    svg.push(painter.line(rest, MARGIN, y + 19, inner, CAPTION));
    y += LEGEND_ROW;
  }
  const tiles = drawTiles(sample, inner);
  if (tiles.tiles.length > 0) {
    y += GAP;
    paragraph(`Each alone: ${sample.targets.length === 0 ? '' : 'ground truth and '}prediction`, CAPTION, 1);
    y -= GAP / 2;
  }
  for (const tile of tiles.tiles) {
    const [x, top] = [MARGIN + tile.left, y + GAP + tile.top];
    const swatch = `<rect x="${x}" y="${top + 2}" width="12" height="12" rx="3" fill="${tile.color}"/>`;
    svg.push(swatch, painter.line(tile.caption, x + 18, top + 12, tile.image.width - 18, CAPTION));
    placed.push({ image: tile.image, left: x, top: top + CAPTION_ROW });
  }
  if (tiles.tiles.length > 0) y += GAP + tiles.height;
  const height = y + MARGIN - 8;

  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${svg.join('')}</svg>`;
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([
      ...placed.map(({ image, left: x, top }) => ({
        input: Buffer.from(image.data.buffer, image.data.byteOffset, image.data.byteLength),
        raw: { width: image.width, height: image.height, channels: 3 as const },
        left: x,
        top,
      })),
      { input: Buffer.from(text), left: 0, top: 0 },
    ])
    .png()
    .toBuffer();
}

/**
 * Writes the panel of a sample, for example of `gsva segment --out`.
 * @throws UserError when the file cannot be written or the sample's masks, results and targets do not match
 */
export async function writePanelPng(path: string, sample: ReportSample): Promise<void> {
  writeFileAtomic(path, await panelPng(sample));
}

/** A swatch (crossed out where nothing was drawn), the expression, and at `noteX` its outcome. */
function legendEntry(
  painter: TextPainter,
  outcome: ExpressionOutcome,
  index: number,
  top: number,
  noteX: number,
  right: number,
): string {
  const { result, verdict } = outcome;
  const color = hexColor(expressionColor(index));
  const [x, y] = [MARGIN, top + 5];
  const swatch =
    result.status === 'segmented'
      ? `<rect x="${x}" y="${y}" width="18" height="18" rx="5" fill="${color}"/>`
      : `<rect x="${x + 1}" y="${y + 1}" width="16" height="16" rx="4" fill="none" stroke="${color}" stroke-width="2"/>` +
        `<path d="M${x + 5.5} ${y + 5.5}l7 7m0 -7l-7 7" stroke="${color}" stroke-width="2"/>`;
  const noteColor = verdict === null ? CAPTION.color : VERDICT_COLOR[verdict];
  return [
    swatch,
    painter.line(result.expression, x + 28, y + 14, noteX - x - 64, ENTRY),
    verdict === null ? '' : verdictMark(verdict, noteX - 20, y + 9),
    painter.line(noteOf(outcome), noteX, y + 14, right - noteX, { ...ENTRY, color: noteColor }),
  ].join('');
}

function noteOf({ result, iou, words }: ExpressionOutcome): string {
  const asked = result.status === 'rejected' && result.rejectProbability !== null;
  return [
    words,
    ...(iou === null ? [] : [`IoU ${formatFigure(iou)}`]),
    ...(asked ? [`P(reject) ${formatFigure(result.rejectProbability)}`] : []),
  ].join(', ');
}

/** A tick, a wave or a cross, drawn, because not every font has them. */
function verdictMark(verdict: NonNullable<Verdict>, x: number, y: number): string {
  const strokes = { right: 'l4 4l7 -9', inexact: 'q3 -5 6 0t6 0', wrong: 'm1 -5l10 10m0 -10l-10 10' };
  return `<path d="M${x} ${y}${strokes[verdict]}" fill="none" stroke="${VERDICT_COLOR[verdict]}" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>`;
}
