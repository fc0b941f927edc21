/** A trained model, ready to be asked: what `import { loadGsva } from 'gsva'` gives. */
import { CONVERSATION_STYLES } from '../data/conversation.js';
import { Tokenizer } from '../data/tokenizer.js';
import { type EngineInfo, type EngineOptions, startEngine } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { readImage } from '../io/image-file.js';
import { checkTokenizer, type ModelMeta, readModelDirectory } from '../model/checkpoint-directory.js';
import type { Precision } from '../model/precision.js';
import { ADDED_TOKENS } from '../special-tokens.js';
import type { RgbImage } from '../types.js';
import { Predictor, type Reply, type SegmentOptions } from './predictor.js';

/** A path, the bytes of an image file (JPEG, PNG, WebP, …), or decoded pixels. */
export type ImageSource = string | Uint8Array | RgbImage;

/** A model that was loaded, and what its folder says of it. */
export interface LoadedPredictor {
  readonly predictor: Predictor;
  readonly meta: ModelMeta;
  /** Bytes of the matrices that are kept in 16 bits; 0 where all are float32. */
  readonly packedBytes: number;
}

/**
 * Loads a model folder (config.json, meta.json, model.safetensors, tokenizer files) on the engine in use.
 * @throws UserError that names the file and what is wrong with it
 */
export function loadPredictor(dir: string, precision: Precision = 'auto'): LoadedPredictor {
  const { gsva, config, meta } = readModelDirectory(dir, precision);
  try {
    const style = CONVERSATION_STYLES.find((known) => known === meta.conversation);
    if (style === undefined) {
      throw new UserError(
        `Reading the model ${dir}: meta.json has the conversation "${meta.conversation}"; known are ${CONVERSATION_STYLES.join(', ')}.`,
      );
    }
    const tokenizer = Tokenizer.fromDirectory(dir);
    tokenizer.addTokens(ADDED_TOKENS);
    checkTokenizer(tokenizer, config, dir);
    const packed = [...gsva.packedParameters().values()];
    const packedBytes = packed.reduce((sum, { matrix }) => sum + matrix.bytes, 0);
    return { predictor: new Predictor(gsva, tokenizer, style), meta, packedBytes };
  } catch (error) {
    gsva.dispose();
    throw error;
  }
}

export class GsvaModel {
  constructor(
    private readonly predictor: Predictor,
    /** What the model's folder says of it. */
    readonly meta: ModelMeta,
    /** What computes. */
    readonly engine: EngineInfo,
  ) {}

  /**
   * Finds in an image what expressions name, and says what is not there.
   *
   *     const { results, answer } = await model.segment('photo.jpg', ['red circle', 'green bar']);
   *
   * @returns per expression, in order: its status ('segmented', 'rejected', or 'no-seg-token' where a freely written
   *   answer passes over it), the mask at the image's size, its box and area in pixels, its score and the probability
   *   of a rejection; and the raw text of question and answer
   * @throws UserError for an image or an expression that cannot be used
   */
  async segment(image: ImageSource, expressions: readonly string[], options: SegmentOptions = {}): Promise<Reply> {
    const decoded =
      typeof image === 'string' || image instanceof Uint8Array ? await readImage(image) : checkedImage(image);
    return this.predictor.segment(decoded, expressions, options);
  }

  /** Frees the model's memory; it cannot be used afterwards. */
  dispose(): void {
    this.predictor.dispose();
  }
}

export interface LoadOptions extends EngineOptions {
  /** How large matrices are kept; default 'auto': float32 where there is memory for it, else in 16 bits as stored. */
  readonly precision?: Precision;
}

/**
 * Starts the engine and loads a trained model.
 *
 *     import { loadGsva } from 'gsva';
 *     const model = await loadGsva('checkpoints/tiny');
 *
 * @param dir folder of the model
 * @param options which engine (default: the fastest there is), how many threads, how its weights are kept
 * @throws UserError that says what is missing or wrong, and where
 */
export async function loadGsva(dir: string, options: LoadOptions = {}): Promise<GsvaModel> {
  const engine = await startEngine(options);
  const { predictor, meta } = loadPredictor(dir, options.precision);
  return new GsvaModel(predictor, meta, engine);
}

function checkedImage(image: RgbImage): RgbImage {
  const { data, height, width } = image;
  const sized = Number.isSafeInteger(height) && Number.isSafeInteger(width) && height > 0 && width > 0;
  if (sized && data.length === height * width * 3) return image;
  throw new UserError(
    `Segmenting: an image of ${height} × ${width} pixels needs ${height * width * 3} bytes of RGB, found ${data.length}.`,
  );
}
