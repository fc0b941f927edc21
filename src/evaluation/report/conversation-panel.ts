/** One picture of a sample as training uses it: each conversation, the image, its targets and their names. */
import sharp from 'sharp';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { IMAGE_PLACEHOLDER } from '../../special-tokens.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { displayScale, enlargeImage } from './enlarge.js';
import { overlayMasks } from './overlay.js';
import { expressionColor, hexColor } from './palette.js';
import { TextPainter, type TextStyle, hasSystemFonts } from './svg-text.js';

export interface ShownConversation {
  readonly turns: readonly { readonly user: string; readonly assistant: string | null }[];
  /** In the order of the answers; a mask is null where the answer is [REJ]. */
  readonly targets: readonly { readonly text: string; readonly mask: BinaryMask | null }[];
}

const MARGIN = 24;
const GAP = 14;
const ROW = 26;
const WIDTH = 840;
/** Two pictures next to each other. */
const PICTURE_WIDTH = (WIDTH - 2 * MARGIN - GAP) / 2;
const MOST_LINES = 12;
const MOST_TARGETS = 40;

const NOTE: TextStyle = { size: 12, color: '#5b667a' };
const QUESTION: TextStyle = { size: 16, color: '#1d2433', bold: true };
const ANSWER: TextStyle = { size: 14, color: '#1d2433' };

export async function writeConversationPanel(
  path: string,
  title: string,
  image: RgbImage,
  conversations: readonly ShownConversation[],
  systemFonts?: boolean,
): Promise<void> {
  const painter = new TextPainter(systemFonts ?? (await hasSystemFonts()));
  const svg: string[] = [];
  const pictures: { readonly input: Buffer; readonly left: number; readonly top: number }[] = [];
  let y = MARGIN;
  const paragraph = (text: string, style: TextStyle): void => {
    for (const line of painter.wrap(text, WIDTH - 2 * MARGIN, MOST_LINES, style)) {
      svg.push(painter.line(line, MARGIN, y + style.size, WIDTH - 2 * MARGIN, style));
      y += Math.round(style.size * 1.45);
    }
  };
  const place = async (picture: RgbImage, left: number): Promise<number> => {
    const { data, height, width } = picture;
    const { data: input, info } = await sharp(data, { raw: { width, height, channels: 3 } })
      .resize({ width: PICTURE_WIDTH, height: PICTURE_WIDTH, fit: 'inside', withoutEnlargement: true })
      .png()
      .toBuffer({ resolveWithObject: true });
    pictures.push({ input, left, top: y });
    return info.height;
  };

  paragraph(title, NOTE);
  const scale = displayScale(image, PICTURE_WIDTH);
  for (const { turns, targets } of conversations) {
    y += 6;
    for (const { user, assistant } of turns) {
      paragraph(user.replace(IMAGE_PLACEHOLDER, '').trim(), QUESTION);
      paragraph(assistant ?? '', ANSWER);
      y += 4;
    }
    const layers = targets.flatMap(({ mask }, i) => (mask === null ? [] : [{ mask, color: expressionColor(i) }]));
    let height = await place(enlargeImage(image, scale), MARGIN);
    if (targets.length > 0) {
      const left = MARGIN + PICTURE_WIDTH + GAP;
      height = Math.max(height, await place(overlayMasks(image, layers, { scale }), left));
    }
    y += height + GAP;
    for (const [i, { text, mask }] of targets.slice(0, MOST_TARGETS).entries()) {
      svg.push(legend(painter, text, mask, hexColor(expressionColor(i)), y));
      y += ROW;
    }
    if (targets.length > MOST_TARGETS) paragraph(`and ${targets.length - MOST_TARGETS} more`, NOTE);
  }

  const height = y + MARGIN;
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}">${svg.join('')}</svg>`;
  const png = await sharp({ create: { width: WIDTH, height, channels: 3, background: '#ffffff' } })
    .composite([...pictures, { input: Buffer.from(text), left: 0, top: 0 }])
    .png()
    .toBuffer();
  writeFileAtomic(path, png);
}

/** A swatch, empty for [REJ]; the name; the target's size. */
function legend(painter: TextPainter, text: string, mask: BinaryMask | null, color: string, top: number): string {
  const fill = mask === null ? 'none' : color;
  const pixels = mask?.data.reduce((sum, value) => sum + value, 0) ?? 0;
  const note = mask === null ? '[REJ]' : `[SEG] ${pixels} pixels`;
  const noteX = WIDTH - MARGIN - 170;
  return [
    `<rect x="${MARGIN + 1}" y="${top + 3}" width="16" height="16" rx="4" fill="${fill}" stroke="${color}" stroke-width="2"/>`,
    painter.line(text, MARGIN + 28, top + 16, noteX - MARGIN - 40, ANSWER),
    painter.line(note, noteX, top + 16, 170, NOTE),
  ].join('');
}
