/** The form of a picture that is written, by the ending of its name. */
import { extname } from 'node:path';
import sharp from 'sharp';
import { UserError } from '../../errors.js';
import { writeFileAtomic } from '../atomic/atomic-file.js';

type PictureForm = 'png' | 'jpeg' | 'webp';

const FORMS: Readonly<Record<string, PictureForm>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
};
/** Endings of files, which nobody means as the name of a folder. */
const OTHER_FILES = /^\.(avif|bmp|gif|heic|heif|html?|ico|jp2|json|npy|pbm|pdf|pgm|ppm|svg|tga|tiff?|txt|zip)$/;
const QUALITY = 92;

/**
 * @returns null where the name is that of a folder
 * @throws UserError for a form that is not written
 */
export function pictureForm(option: string, path: string): PictureForm | null {
  const ending = extname(path).toLowerCase();
  const form = FORMS[ending];
  if (form === undefined && OTHER_FILES.test(ending)) {
    const known = Object.keys(FORMS).join(', ');
    throw new UserError(`${path}: no ${ending} is written; ${option} takes a picture (${known}) or a folder`);
  }
  return form ?? null;
}

/** Writes a picture atomically; JPEG and WebP without subsampling, at quality 92, for coloured masks have sharp edges. */
export async function writePicture(path: string, form: PictureForm, png: Buffer): Promise<void> {
  const picture = sharp(png);
  if (form === 'jpeg') picture.jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' });
  if (form === 'webp') picture.webp({ quality: QUALITY, smartSubsample: true });
  writeFileAtomic(path, form === 'png' ? png : await picture.toBuffer());
}
