/**
 * GSVA (Xia et al. 2024, Figure 2):
 *
 *   features   = φ(F_V1(image))                        what the LLM sees
 *   states     = F_LLM(text, features)                 what it writes: words, [SEG], [REJ]
 *   queries    = ψ(state that predicts a [SEG])        one query per thing found
 *   masks      = F_mask(F_V2(image), queries)          one mask per query
 *
 * One forward for all callers. Losses, thresholds, teacher forcing and generation live in them.
 */
import { type ModelConfig, segIds } from '../../config.js';
import * as tf from '../../engine/tf.js';
import { CompositeLayer, type Shape } from '../../nn/composite-layer.js';
import { Linear } from '../../nn/linear.js';
import { ClipVisionTower, patchCount } from '../../networks/clip/vision-tower.js';
import { Llama } from '../../networks/decoder-lm/llama.js';
import { MaskPrompt } from '../shared/mask-prompt.js';
import { Projector } from '../../networks/projector.js';
import { SamImageEncoder } from '../../networks/sam/image-encoder.js';
import { MaskDecoder, type MaskDecoderOutput } from '../../networks/sam/mask-decoder.js';
import { PromptEncoder } from '../../networks/sam/prompt-encoder.js';
import { type TokenBatch, MultimodalRows } from '../../networks/multimodal-rows.js';

export interface GsvaInput {
  /** [B, S, S, 3] for F_V1, normalised. */
  readonly clipImages: tf.Tensor4D;
  /** [B, S, S, 3] for F_V2, normalised and padded. */
  readonly samImages: tf.Tensor4D;
  readonly tokens: TokenBatch;
}

export interface GsvaOutput extends MaskDecoderOutput {
  readonly clipFeatures: tf.Tensor3D;
  readonly visionTokens: tf.Tensor3D;
  /** [B, H, W, prompt] */
  readonly imageEmbeddings: tf.Tensor4D;
  /** Normalised last hidden states [B, T, D], vision tokens in place. */
  readonly lastHidden: tf.Tensor3D;
  /** [B, T, V] */
  readonly logits: tf.Tensor3D;
  /** For every mask the conversation it belongs to. */
  readonly maskRows: readonly number[];
}

export class Gsva extends CompositeLayer {
  static readonly className = 'Gsva';
  /** F_V1 */
  readonly visionTower: ClipVisionTower;
  /** φ */
  readonly projector: Projector;
  /** F_LLM */
  readonly llama: Llama;
  readonly lmHead: Linear;
  /** ψ */
  readonly maskPrompt: MaskPrompt;
  /** F_V2 */
  readonly imageEncoder: SamImageEncoder;
  readonly promptEncoder: PromptEncoder;
  /** F_mask */
  readonly maskDecoder: MaskDecoder;
  /** The file or folder that the weights were read from last, for errors; null where they were drawn. */
  weightsFile: string | null = null;

  constructor(readonly config: ModelConfig) {
    super();
    const { clip, llm, sam, lora, projector } = config;
    const projectorConfig = { type: projector, visionSize: clip.hiddenSize, textSize: llm.hiddenSize };
    this.lmHead = this.track(
      'lm_head',
      new Linear({ inputSize: llm.hiddenSize, outputSize: llm.vocabSize, useBias: false }),
    );
    this.llama = this.track('model', new Llama({ llm, lora }));
    this.visionTower = this.track('model.vision_tower.vision_tower.vision_model', new ClipVisionTower(clip));
    this.projector = this.track('model.mm_projector', new Projector(projectorConfig));
    this.maskPrompt = this.track(
      'model.text_hidden_fcs.0',
      new MaskPrompt({ hiddenSize: llm.hiddenSize, promptSize: sam.promptEmbedDim }),
    );
    this.imageEncoder = this.track('model.visual_model.image_encoder', new SamImageEncoder(sam));
    this.promptEncoder = this.track('model.visual_model.prompt_encoder', new PromptEncoder(sam));
    this.maskDecoder = this.track('model.visual_model.mask_decoder', new MaskDecoder(sam));
  }

  /** Vision tokens of one image. */
  get patches(): number {
    return patchCount(this.config.clip);
  }

  /** Everything at once: teacher-forced tokens → logits, and a mask for every [SEG] among them. */
  forward({ clipImages, samImages, tokens }: GsvaInput): GsvaOutput {
    const clipFeatures = this.visionTower.forward(clipImages);
    const visionTokens = this.projector.forward(clipFeatures) as tf.Tensor3D;
    const imageEmbeddings = this.imageEncoder.forward(samImages);
    const layout = new MultimodalRows(tokens, this.patches);
    const context = this.llama.context(0, layout.time, layout.lengths);
    const [lastHidden] = this.llama.forward(this.embed(layout, visionTokens), context) as [tf.Tensor3D, unknown];
    const states = layout.statesBefore(segIds(this.config.tokens));
    const queries = this.maskQueries(
      lastHidden,
      states.map((state) => state.position),
    );
    const maskRows = states.map((state) => state.row);
    const masks = this.decodeMasks(queries, imageEmbeddings, maskRows);
    const logits = this.lmHead.forward(lastHidden) as tf.Tensor3D;
    return { clipFeatures, visionTokens, imageEmbeddings, lastHidden, logits, maskRows, ...masks };
  }

  /** Text and vision tokens → LLM input embeddings [B, T, D]. */
  embed(layout: MultimodalRows, visionTokens: tf.Tensor3D): tf.Tensor3D {
    const { batch } = layout.tokens;
    const { hiddenSize } = this.config.llm;
    const shape: [number, number] = [batch, layout.time];
    const text = this.llama.embedTokens.forward(tf.tensor2d(layout.textIndex, shape, 'int32'));
    const features = tf.reshape(visionTokens, [batch * layout.patches, hiddenSize]);
    const vision = tf.gather(features, tf.tensor2d(layout.visionIndex, shape, 'int32'));
    const isVision = tf.tensor3d(layout.isVision, [batch, layout.time, 1]);
    return tf.add(tf.mul(text, tf.sub(1, isVision)), tf.mul(vision, isVision));
  }

  /** ψ of chosen states: hidden [B, T, D], indices into B·T → queries [Q, prompt]. */
  maskQueries(hidden: tf.Tensor3D, positions: readonly number[]): tf.Tensor2D {
    return this.maskPrompt.forward(this.statesAt(hidden, positions)) as tf.Tensor2D;
  }

  /** Rows of the hidden states [B, T, D] by index into B·T → [n, D]. */
  statesAt(hidden: tf.Tensor3D, positions: readonly number[] | Int32Array): tf.Tensor2D {
    const flat = tf.reshape(hidden, [-1, this.config.llm.hiddenSize]);
    return tf.gather(flat, tf.tensor1d(Int32Array.from(positions), 'int32')) as tf.Tensor2D;
  }

  /**
   * All masks in one batch.
   * @param queries [Q, prompt]
   * @param imageEmbeddings [B, H, W, prompt]
   * @param rows for every query the image it asks about, in [0, B)
   */
  decodeMasks(queries: tf.Tensor2D, imageEmbeddings: tf.Tensor4D, rows: readonly number[]): MaskDecoderOutput {
    if (rows.length === 0) {
      // An answer without [SEG]: the WASM engine cannot transpose tensors without elements.
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

  /** [clipImages, samImages, inputIds] → [logits, lowResMasks]; the typed form is `forward`. */
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const [clipImages, samImages, ids] = inputs as [tf.Tensor4D, tf.Tensor4D, tf.Tensor2D];
      const [batch, time] = ids.shape;
      const inputIds = Int32Array.from(ids.dataSync());
      const tokens = { inputIds, labels: null, lengths: Array.from({ length: batch }, () => time), batch, time };
      const { logits, lowResMasks } = this.forward({ clipImages, samImages, tokens });
      return [logits, lowResMasks];
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const [, , ids = []] = inputShape as Shape[];
    const [batch = null, time = null] = ids;
    const side = (4 * this.config.sam.imageSize) / this.config.sam.patchSize;
    return [
      [batch, time === null ? null : time - 1 + this.patches, this.config.llm.vocabSize],
      [null, side, side],
    ];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...(structuredClone(this.config) as unknown as tf.serialization.ConfigDict) };
  }
}
tf.serialization.registerClass(Gsva);
