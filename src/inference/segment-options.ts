/** Checks of the library's arguments: an option that is unknown, or has another type, is refused by name. */
import { checkedExpression } from '../data/text/expression.js';
import { coded, UserError } from '../errors.js';
import { readImage } from '../io/image/image-file.js';
import { didYouMean } from '../nearest-name.js';
import { RESERVED_TEXTS } from '../special-tokens.js';
import type { RgbImage } from '../types.js';
import type { ImageSource, SegmentOptions } from './reply.js';

const MODES: readonly string[] = ['ask', 'generate'];
/** Options of each call, by its word in errors. */
const KEYS = {
  Encoding: ['signal'],
  Replying: ['maxTokens', 'signal'],
  Segmenting: ['mode', 'rejectThreshold', 'maxTokens', 'signal'],
} as const satisfies Record<string, (keyof SegmentOptions)[]>;

/** @param doing for the error: 'Segmenting' @throws UserError for what is no object, and for a key that is not known */
export function checkKeys(doing: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw refused(doing, `options are an object, such as { ${known[0] ?? ''}: … }; found ${shown(options)}`);
  }
  const other = Object.keys(options).find((key) => !known.includes(key));
  if (other === undefined) return;
  throw refused(doing, `there is no option "${other}"${didYouMean(other, known)}; known are ${known.join(', ')}`);
}

/** Keys, and what several calls share. @throws UserError that names the option */
export function checkOptions(doing: keyof typeof KEYS, options: SegmentOptions): void {
  checkKeys(doing, options, KEYS[doing]);
  const { maxTokens, signal } = options;
  if (maxTokens !== undefined && !(Number.isSafeInteger(maxTokens) && maxTokens > 0)) {
    throw refused(doing, `maxTokens must be a whole number from 1 up, found ${shown(maxTokens)}`);
  }
  checkSignal(doing, signal);
}

/** @returns the question without surrounding spaces. @throws UserError with the code 'bad-expression' */
export function checkedQuestion(question: unknown): string {
  const text = typeof question === 'string' ? question.trim() : '';
  const bad = (why: string): UserError => new UserError(`Replying: ${why}.`, 'bad-expression');
  if (text === '') throw bad(`the question is a text, such as "What is on the left?"; found ${shown(question)}`);
  const reserved = RESERVED_TEXTS.find((token) => text.includes(token));
  if (reserved !== undefined) throw bad(`the question contains ${reserved}, which is reserved; leave it out`);
  return text;
}

/** @param rejects whether the model says "absent" by a token @throws UserError that names the option */
export function checkSegmentOptions(options: SegmentOptions, rejects: boolean): void {
  const doing = 'Segmenting';
  checkOptions(doing, options);
  const { mode = 'ask', rejectThreshold, maxTokens } = options;
  if (!MODES.includes(mode)) {
    const meant = didYouMean(shown(mode), MODES);
    throw refused(doing, `mode must be one of ${MODES.join(', ')}, found ${shown(mode)}${meant}`);
  }
  if (rejectThreshold !== undefined) {
    if (!(typeof rejectThreshold === 'number' && rejectThreshold >= 0 && rejectThreshold <= 1)) {
      throw refused(doing, `rejectThreshold must be from 0 to 1, found ${shown(rejectThreshold)}`);
    }
    if (!rejects) {
      throw refused(doing, 'rejectThreshold is for models with [REJ]; this one says what is absent by an empty mask');
    }
  }
  if (maxTokens !== undefined && mode === 'ask') {
    throw refused(doing, "maxTokens is for mode 'generate'; in mode 'ask' the model writes one token per expression");
  }
}

/** @returns the expressions as a model is asked them. @throws UserError that names the expression */
export function checkedExpressions(expressions: readonly string[]): readonly string[] {
  const given: unknown = expressions;
  const bad = (why: string): UserError => new UserError(`Segmenting: ${why}.`, 'bad-expression');
  if (!Array.isArray(given)) {
    throw bad(`expressions are a list of texts, such as ["red circle"]; found ${shown(given)}`);
  }
  if (given.length === 0) throw bad('no expression is given. Say what to find, such as "red circle"');
  return given.map((expression: unknown, i) => {
    if (typeof expression === 'string') return coded('bad-expression', () => checkedExpression(expression));
    throw bad(`expression ${i + 1} is ${shown(expression)}; expressions are texts, such as "red circle"`);
  });
}

/** Pictures as a program gives them. @throws UserError with the code 'bad-image' */
export function decodedImage(image: ImageSource): Promise<RgbImage> {
  return coded('bad-image', async () =>
    typeof image === 'string' || image instanceof Uint8Array ? readImage(image) : checkedImage(image),
  );
}

function checkedImage(image: unknown): RgbImage {
  const bad = (why: string): UserError => new UserError(`Reading the image: ${why}.`);
  const { data, height, width } = (typeof image === 'object' && image !== null ? image : {}) as Partial<RgbImage>;
  if (!(data instanceof Uint8Array) || typeof height !== 'number' || typeof width !== 'number') {
    throw bad('it is a path, the bytes of an image file (Uint8Array), or { data: Uint8Array, height, width }');
  }
  if (![height, width].every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw bad(`height and width are whole numbers from 1 up; found ${height} and ${width}`);
  }
  if (data.length === height * width * 3) return { data, height, width };
  throw bad(`${height} × ${width} pixels are ${height * width * 3} bytes of RGB, found ${data.length}`);
}

export function checkSignal(doing: string, signal: unknown): void {
  if (signal === undefined) return;
  const isOne = typeof signal === 'object' && signal !== null && 'aborted' in signal && 'throwIfAborted' in signal;
  if (!isOne) throw refused(doing, `signal must be an AbortSignal, found ${shown(signal)}`);
}

function refused(doing: string, why: string): UserError {
  return new UserError(`${doing}: ${why}.`, 'bad-option');
}

/** As in the program, and short. */
function shown(value: unknown): string {
  if (typeof value === 'number' || value === undefined || value === null) return String(value);
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'string' ? JSON.stringify(value).slice(0, 60) : typeof value;
}
