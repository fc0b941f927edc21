/** A trained model, ready to be asked: what `import { loadGsva } from 'gsva'` gives. */
import { type EngineInfo, type EngineOptions, startEngine } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { readImage } from '../io/image-file.js';
import { buildGsva, type ModelMeta } from '../model/checkpoint-directory.js';
import { packedBytes, type Precision } from '../model/precision.js';
import type { RgbImage } from '../types.js';
import { type ModelSource, openModel } from './open-model.js';
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
 * Loads a model on the engine in use.
 * @param rejectThreshold instead of the model's own
 * @throws UserError that names the file and what is wrong with it
 */
export function loadPredictor(
  source: ModelSource,
  precision: Precision = 'auto',
  rejectThreshold: number | null = null,
): LoadedPredictor {
  const { config, tensors, tokenizer, meta, weightsPath } = openModel(source);
  const gsva = buildGsva(config, tensors, weightsPath, precision);
  const { conversation, variant } = meta;
  const predictor = new Predictor(gsva, tokenizer, conversation, {
    rejectThreshold: rejectThreshold ?? meta.rejectThreshold ?? null,
    ...(variant === undefined ? {} : { variant }),
  });
  return { predictor, meta, packedBytes: packedBytes(gsva) };
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
 *     const published = await loadGsva({ mllm: 'llava-7b', visionTower: 'clip-vit-large-patch14',
 *       sam: 'sam_vit_h_4b8939.pth', weights: 'gsva-7b-ft-gres.bin' });
 *
 * @param source folder of the model (or its name in the local Hugging Face cache), or the published files
 * @param options which engine (default: the fastest there is) and how many threads, how its weights are kept
 * @throws UserError that says what is missing or wrong, and where
 */
export async function loadGsva(source: ModelSource, options: LoadOptions = {}): Promise<GsvaModel> {
  const engine = await startEngine(options);
  const { predictor, meta } = loadPredictor(source, options.precision);
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
