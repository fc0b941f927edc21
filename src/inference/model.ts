/// <reference lib="esnext.disposable" preserve="true" />
/** Trained models of any system, ready to be asked: `loadModel` of the library. */
import type { EngineInfo, EngineOptions } from '../engine/engine.js';
import { UserError } from '../errors.js';
import type { ModelMeta } from '../checkpoints/model-meta.js';
import { checkKeys, checkOptions, decodedImage } from './segment-options.js';
import { type EngineShare, shareEngine } from './engine-in-use.js';
import { Lifetime } from './lifetime.js';
import { loadPredictor, untrainedText } from './open-model.js';
import { checkSource, type ModelSource, packagedSource } from './model-source.js';
import { Opening } from './decoding-session.js';
import type { Predictor } from './predictor.js';
import type { EncodeOptions, FreeReply, ImageSource, Reply, ReplyOptions, SegmentOptions } from './reply.js';

/**
 * An encoded picture: every question about it costs the language model and the masks alone.
 *
 *     const scene = await model.encode('photo.jpg');
 *     const first = await scene.segment(['red circle']);
 *     const second = await scene.segment(['green bar', 'both squares']);
 *     scene.dispose();
 *
 * One that is forgotten is freed with the model, or when it is garbage.
 */
export interface Scene {
  /** Pixels of the picture. */
  readonly width: number;
  readonly height: number;
  /** As `GroundedModel.segment`. */
  segment(expressions: readonly string[], options?: SegmentOptions): Promise<Reply>;
  /** As `GroundedModel.reply`. */
  reply(question: string, options?: ReplyOptions): Promise<FreeReply>;
  /** Frees it. Calls that run end as they would have; later ones are refused with the code 'disposed'. */
  dispose(): void;
  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void;
}

/** Makes a model of its parts; the constructor is private to keep TensorFlow.js out of the public types. */
let makeModel: (predictor: Predictor, meta: ModelMeta, share: EngineShare) => GroundedModel;

/**
 * A trained model with its tokenizer, made by `loadModel`. It answers about pictures; dispose of it when it is no longer
 * used.
 */
export class GroundedModel {
  /** Contents of meta.json in the model's folder. */
  readonly meta: ModelMeta;
  /** Its folder or the file of its weights, as replies name it. */
  readonly name: string;
  /** The engine that computes. */
  readonly engine: EngineInfo;
  private readonly lifetime: Lifetime;
  /** Openings of scenes that were not disposed. */
  private readonly openings = new Set<Opening>();
  private readonly forgotten = new FinalizationRegistry<Opening>((opening) => {
    this.drop(opening);
  });

  static {
    makeModel = (predictor, meta, share) => new GroundedModel(predictor, meta, share);
  }

  private constructor(
    private readonly predictor: Predictor,
    meta: ModelMeta,
    private readonly share: EngineShare,
  ) {
    this.meta = meta;
    this.name = predictor.model.name;
    this.engine = share.info;
    this.lifetime = new Lifetime('model', () => {
      for (const opening of this.openings) this.drop(opening);
      predictor.dispose();
      share.end();
    });
  }

  /**
   * Finds in an image what expressions name, and says what is absent.
   *
   *     const { results, answer } = await model.segment('photo.jpg', ['red circle', 'green bar']);
   *
   * @param image a path, the bytes of an image file, or decoded pixels
   * @param expressions free text, at least one
   * @returns per expression, in order, what became of it (SegmentResult); the raw text of question and answer; the parts
   *   of a freely written answer that match no expression; which model it was and what it knows
   * @throws UserError for an image, an expression or an option that cannot be used; the signal's reason
   */
  async segment(image: ImageSource, expressions: readonly string[], options: SegmentOptions = {}): Promise<Reply> {
    return this.use(async () => {
      this.predictor.checkQuestion(expressions, options);
      return this.predictor.segment(await decodedImage(image), expressions, options);
    });
  }

  /**
   * Answers a question about an image freely, in words, with a mask for everything that the answer says was found.
   *
   *     const { answer, parts } = await model.reply('photo.jpg', 'Which of these can I sit on?');
   *
   * @param question one line of text; special tokens such as [SEG] are refused
   * @throws UserError for an image, a question or an option that cannot be used; the signal's reason
   */
  async reply(image: ImageSource, question: string, options: ReplyOptions = {}): Promise<FreeReply> {
    return this.use(async () => {
      const asked = this.predictor.checkWords(question, options);
      const encoded = await this.predictor.encodeOne(await decodedImage(image), options.signal);
      return this.predictor.converse(encoded, asked, options);
    });
  }

  /**
   * Runs the encoders on an image, once for all questions about it.
   * @throws UserError for an image or an option that cannot be used; the signal's reason
   */
  async encode(image: ImageSource, options: EncodeOptions = {}): Promise<Scene> {
    return this.use(async () => {
      checkOptions('Encoding', options);
      const { signal } = options;
      signal?.throwIfAborted();
      const picture = await decodedImage(image);
      const { width, height } = picture;
      const encoded = await this.predictor.encodeOne(picture, signal);
      const opening = new Opening(this.predictor.network, encoded);
      this.openings.add(opening);
      const lifetime = new Lifetime('scene', () => {
        this.drop(opening);
      });
      const dispose = (): void => {
        lifetime.dispose();
      };
      const during = <T>(work: () => Promise<T>): Promise<T> => this.use(() => lifetime.use(work));
      const scene: Scene = {
        width,
        height,
        segment: (expressions, asked = {}) =>
          during(() => this.predictor.segmentEncoded(encoded, expressions, asked, opening)),
        reply: (question, asked = {}) =>
          during(async () => {
            const words = this.predictor.checkWords(question, asked);
            return this.predictor.converse(encoded, words, { ...asked, opening });
          }),
        dispose,
        [Symbol.dispose]: dispose,
      };
      this.forgotten.register(scene, opening, opening);
      return scene;
    });
  }

  /**
   * Frees the model and its scenes. Calls that run end as they would have, and the memory is freed after the last of
   * them; later ones are refused with the code 'disposed'. Doing it twice does no harm.
   */
  dispose(): void {
    this.lifetime.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** As `dispose`, and waits until the memory is freed: `await using model = await loadModel()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.lifetime.disposed();
  }

  private use<T>(work: () => Promise<T>): Promise<T> {
    return this.lifetime.use(() => {
      this.share.check();
      return work();
    });
  }

  private drop(opening: Opening): void {
    this.forgotten.unregister(opening);
    if (this.openings.delete(opening)) opening.dispose();
  }
}

/** How large matrices are kept in memory. */
export type Precision = 'auto' | 'f32' | 'packed';

/** Options of `loadModel`. */
export interface LoadOptions extends EngineOptions {
  /**
   * How large matrices are kept. 'auto' (the default): float32 where there is memory for it, else in 16 bits as stored;
   * 'f32': float32; 'packed': in 16 bits.
   */
  readonly precision?: Precision;
}

const LOAD_KEYS = ['engine', 'threads', 'device', 'precision'] as const satisfies (keyof LoadOptions)[];
const PRECISIONS: readonly unknown[] = ['auto', 'f32', 'packed'];

/**
 * Starts the engine and loads a trained model of any system; its config.json names the system.
 *
 *     import { loadModel } from 'gsva';
 *     const tiny = await loadModel(); // the small model of the package
 *     const own = await loadModel('runs/mine/best');
 *
 *     const published = await loadModel({ mllm: 'llava-7b', visionTower: 'clip-vit-large-patch14',
 *       sam: 'sam_vit_h_4b8939.pth', weights: 'gsva-7b-ft-gres.bin' });
 *
 * @param source folder of the model (or its name in the local Hugging Face cache), or the published files. Default, and
 *   by the name 'tiny': the small model that comes with the package, from any working directory; a folder of that name
 *   is './tiny'
 * @param options which engine (default: the one in use, else the fastest there is) and how many threads, how its weights
 *   are kept. All models of a process share one engine
 * @throws UserError that says what is missing or wrong, and where
 */
export async function loadModel(source?: ModelSource, options: LoadOptions = {}): Promise<GroundedModel> {
  checkKeys('Loading a model', options, LOAD_KEYS);
  const { precision, ...engine } = options;
  if (precision !== undefined && !PRECISIONS.includes(precision)) {
    const found = JSON.stringify(precision);
    throw new UserError(`Loading a model: precision must be one of auto, f32, packed, found ${found}.`, 'bad-option');
  }
  if (source !== undefined) checkSource(source);
  const share = await shareEngine(engine);
  try {
    const { predictor, meta } = await loadPredictor(packagedSource(source), precision);
    const untrained = untrainedText(meta, predictor.model.name);
    if (untrained !== null) {
      predictor.dispose();
      throw new UserError(`Loading a model: ${untrained}. Load a model that was trained on it.`, 'bad-model');
    }
    return makeModel(predictor, meta, share);
  } catch (error) {
    share.end();
    throw error;
  }
}
