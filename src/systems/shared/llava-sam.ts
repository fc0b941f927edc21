/**
 * The network that LISA (Lai et al. 2023, Figure 3) introduced and GSVA (Xia et al. 2024, Figure 2) kept:
 *
 *   features   = φ(F_V1(image))                        vision tokens, the LLM's picture
 *   states     = F_LLM(text, features)                 words and decision tokens
 *   queries    = ψ(state that predicts a decision)     one query per decision
 *   masks      = F_mask(F_V2(image), queries)          one mask per query
 *
 * It knows no token: which ids are decisions, and what they decide, is the system's. Weights have the published names.
 */
import type { ModelConfig } from './model-config.js';
import { atOnce, type Steps } from '../../engine/steps.js';
import * as tf from '../../engine/tf.js';
import { CompositeLayer, type Shape } from '../../nn/composite-layer.js';
import { Linear } from '../../nn/layers.js';
import { ClipVisionTower, patchCount } from '../../networks/clip/vision-tower.js';
import { DecoderLm } from '../../networks/decoder-lm/decoder-lm.js';
import { embedRows } from '../../networks/multimodal-embedding.js';
import { type MultimodalRows, rowsOfIds } from '../../networks/multimodal-rows.js';
import { Projector } from '../../networks/projector.js';
import { SamImageEncoder } from '../../networks/sam/image-encoder.js';
import { MaskDecoder, type MaskDecoderOutput } from '../../networks/sam/mask-decoder.js';
import { PromptEncoder } from '../../networks/sam/prompt-encoder.js';
import { resizeMasks } from '../../nn/bilinear.js';
import { statesAt } from '../../networks/states-at.js';
import type { FeatureTensors, Geometry, Grounding, GroundingModel, Place, Reading, ReadOptions } from '../system.js';
import { type CachedReading, decoderReading } from './cached-reading.js';
import { GROUNDING_TRAINS, LLAVA_SAM_PARTS } from './llava-sam-parts.js';
import { MaskPrompt } from './mask-prompt.js';

export class LlavaSam extends CompositeLayer implements GroundingModel {
  static readonly className = 'LlavaSam';
  readonly parts = LLAVA_SAM_PARTS;
  readonly lmHead: Linear;
  /** F_LLM */
  readonly llama: DecoderLm;
  /** φ */
  readonly projector: Projector;
  /** ψ */
  readonly maskPrompt: MaskPrompt;
  /** F_V1 and F_V2. */
  readonly encoders: { readonly clip: ClipVisionTower; readonly sam: SamImageEncoder };
  readonly promptEncoder: PromptEncoder;
  /** F_mask */
  readonly maskDecoder: MaskDecoder;
  readonly trains = GROUNDING_TRAINS;
  readonly masksFrom = 'states';
  weightsFile: string | null = null;

  constructor(readonly config: ModelConfig) {
    super();
    const { clip, llm, sam, lora, projector: type } = config;
    const { hiddenSize, vocabSize } = llm;
    const head = { inputSize: hiddenSize, outputSize: vocabSize, useBias: false };
    const projector = { type, visionSize: clip.hiddenSize, textSize: hiddenSize };
    const prompt = { hiddenSize, promptSize: sam.promptEmbedDim };
    this.lmHead = this.track('lm_head', new Linear(head));
    this.llama = this.track('model', new DecoderLm({ llm, lora }));
    const visionTower = this.track('model.vision_tower.vision_tower.vision_model', new ClipVisionTower(clip));
    this.projector = this.track('model.mm_projector', new Projector(projector));
    this.maskPrompt = this.track('model.text_hidden_fcs.0', new MaskPrompt(prompt));
    const imageEncoder = this.track('model.visual_model.image_encoder', new SamImageEncoder(sam));
    this.encoders = { clip: visionTower, sam: imageEncoder };
    this.promptEncoder = this.track('model.visual_model.prompt_encoder', new PromptEncoder(sam));
    this.maskDecoder = this.track('model.visual_model.mask_decoder', new MaskDecoder(sam));
  }

  get patches(): number {
    return patchCount(this.config.clip);
  }

  get positions(): number {
    return this.config.llm.maxPositionEmbeddings;
  }

  read(rows: MultimodalRows, features: FeatureTensors, options: ReadOptions = {}): CachedReading {
    return atOnce(this.reading(rows, features, options));
  }

  /** @param features 'clip' [B, N, C] where a row has a picture, and what `ground` is to find in the reading */
  reading(rows: MultimodalRows, features: FeatureTensors, options: ReadOptions = {}): Steps<CachedReading> {
    const embed = (): tf.Tensor => {
      const visionTokens = rows.hasPictures ? this.projector.forward(feature(features, 'clip')) : null;
      return this.embed(rows, visionTokens as tf.Tensor3D | null);
    };
    return decoderReading(this.llama, rows, features, options, { embed });
  }

  logits(states: tf.Tensor2D): tf.Tensor2D {
    return this.lmHead.forward(states) as tf.Tensor2D;
  }

  ground({ hidden, features }: Pick<Reading, 'hidden' | 'features'>, places: readonly Place[]): Grounding {
    const states = places.flatMap((place) => place.states);
    const rows = places.map(({ row }) => row);
    const images = feature(features, 'sam') as tf.Tensor4D;
    const { lowResMasks } = this.decodeMasks(this.maskQueries(hidden, states), images, rows);
    return { masks: lowResMasks, boxes: null, scores: null };
  }

  enlarge(masks: tf.Tensor3D, geometry: Geometry): tf.Tensor3D {
    return resizeMasks(masks, geometry, this.config.sam.imageSize);
  }

  /** Text and vision tokens [B, N, D] → LLM input embeddings [B, T, D]. */
  embed(rows: MultimodalRows, visionTokens: tf.Tensor3D | null): tf.Tensor3D {
    return embedRows(this.llama.embedTokens, rows, visionTokens);
  }

  /** Inputs of F_V1 [B, S, S, 3] → vision tokens [B, N, D]. */
  visionTokens(images: tf.Tensor4D): tf.Tensor {
    return this.projector.forward(this.encoders.clip.forward(images));
  }

  /** Embeddings [n, D] of ids [n]. */
  wordEmbeddings(ids: tf.Tensor1D): tf.Tensor2D {
    return this.llama.embedTokens.forward(ids) as tf.Tensor2D;
  }

  /** ψ of chosen states: hidden [B, T, D], indices into B·T → queries [Q, prompt]. */
  maskQueries(hidden: tf.Tensor3D, positions: readonly number[]): tf.Tensor2D {
    return this.maskPrompt.forward(this.statesAt(hidden, positions)) as tf.Tensor2D;
  }

  /** Rows of the hidden states [B, T, D] by index into B·T → [n, D]. */
  statesAt(hidden: tf.Tensor3D, positions: readonly number[] | Int32Array): tf.Tensor2D {
    return statesAt(hidden, positions);
  }

  /**
   * All masks in one batch.
   * @param queries [Q, prompt]
   * @param imageEmbeddings [B, H, W, prompt]
   * @param rows for every query the image it asks about, in [0, B)
   */
  decodeMasks(queries: tf.Tensor2D, imageEmbeddings: tf.Tensor4D, rows: readonly number[]): MaskDecoderOutput {
    if (rows.length === 0) {
      // An answer without decisions: the WASM engine cannot transpose tensors without elements.
      const [, height, width] = imageEmbeddings.shape;
      return { lowResMasks: tf.zeros([0, 4 * height, 4 * width]), iou: tf.zeros([0, 1]) };
    }
    const embeddings = tf.add(imageEmbeddings, this.promptEncoder.noMaskEmbedding());
    return this.maskDecoder.forward({
      imageEmbeddings: tf.gather(embeddings, tf.tensor1d([...rows], 'int32')) as tf.Tensor4D,
      densePositions: this.promptEncoder.densePositions(),
      sparsePrompts: tf.expandDims(queries, 1),
    });
  }

  /** [clipImages, samImages, inputIds, states [n]: indices into B·T] → [logits, masks]; typed: `read` and `ground`. */
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const [clipImages, samImages, ids, states] = inputs as [tf.Tensor4D, tf.Tensor4D, tf.Tensor2D, tf.Tensor1D];
      const features = { clip: this.encoders.clip.forward(clipImages), sam: this.encoders.sam.forward(samImages) };
      const reading = this.read(rowsOfIds(ids, this.patches), features);
      const places = [...states.dataSync()].map((state) => {
        return { row: Math.floor(state / reading.rows.time), states: [state] };
      });
      return [this.lmHead.forward(reading.hidden), this.ground(reading, places).masks];
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const [, , ids = [], states = []] = inputShape as Shape[];
    const [batch = null, time = null] = ids;
    const side = (4 * this.config.sam.imageSize) / this.config.sam.patchSize;
    return [
      [batch, time === null ? null : time - 1 + this.patches, this.config.llm.vocabSize],
      [states[0] ?? null, side, side],
    ];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...(structuredClone(this.config) as unknown as tf.serialization.ConfigDict) };
  }
}
tf.serialization.registerClass(LlavaSam);

function feature(features: FeatureTensors, name: 'clip' | 'sam'): tf.Tensor {
  const found = features[name];
  if (found === undefined) throw new Error(`LlavaSam: the features of "${name}" are missing`);
  return found;
}
