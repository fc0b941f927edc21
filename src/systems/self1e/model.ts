/**
 * SELF1E: a multimodal language model that segments without a mask decoder.
 *
 *   features   = InternViT(tiles)                          at the encoder's resolution
 *   V1, HQ     = mlp1(blocks of features), mlp1(features, replicated)
 *   states     = F_LLM(text, V1)                           vision tokens see each other and [SEG]
 *   masks      = refill(V1, HQ, states of the picture) · refill(state before [SEG])
 *
 * A mask needs one pass over a whole conversation, its answer written already; answers in words are causal, over a
 * cache. Weights have the published names (those of InternVL, plus `combine_decode_proj…`).
 */
import { atOnce, type Steps } from '../../engine/steps.js';
import * as tf from '../../engine/tf.js';
import { DecoderLm } from '../../networks/decoder-lm/decoder-lm.js';
import { InternVit } from '../../networks/intern-vit/intern-vit.js';
import { embedRows } from '../../networks/multimodal-embedding.js';
import { type MultimodalRows, type RowPicture, rowsOfIds } from '../../networks/multimodal-rows.js';
import { statesAt } from '../../networks/states-at.js';
import { resizeBilinear } from '../../nn/bilinear.js';
import { CompositeLayer, type Shape } from '../../nn/composite-layer.js';
import { Linear } from '../../nn/layers.js';
import { SHUFFLE } from '../../nn/pixel-shuffle.js';
import { type CachedReading, decoderReading } from '../shared/cached-reading.js';
import type { FeatureTensors, Geometry, Grounding, GroundingModel, Place, ReadOptions } from '../system.js';
import { scoreBias } from './attention-bias.js';
import { BlockProjector } from './block-projector.js';
import { type Self1eConfig, visionTokens } from './config.js';
import { SELF1E_PARTS, SELF1E_TRAINS } from './parts.js';
import { type PictureFeatures, Refill } from './refill.js';
import { joinTiles, tilesOf } from './tiles.js';

/** A reading of whole conversations: what masks are made from. */
export type WholeReading = Pick<CachedReading, 'hidden' | 'features'> & { readonly rows?: MultimodalRows };

export class Self1e extends CompositeLayer implements GroundingModel {
  static readonly className = 'Self1e';
  readonly parts = SELF1E_PARTS;
  readonly trains = SELF1E_TRAINS;
  readonly masksFrom = 'whole reading';
  readonly encoders: { readonly vit: InternVit };
  readonly projector: BlockProjector;
  readonly decoder: DecoderLm;
  readonly lmHead: Linear;
  readonly refill: Refill;
  weightsFile: string | null = null;

  constructor(readonly config: Self1eConfig) {
    super();
    const { vision, llm, lora, tiles } = config;
    const visionLora = { ...lora, targets: lora.visionTargets };
    this.encoders = { vit: this.track('vision_model', new InternVit({ vision, lora: visionLora, tiles })) };
    const sizes = { visionSize: vision.hiddenSize, textSize: llm.hiddenSize };
    this.projector = this.track('mlp1', new BlockProjector(sizes));
    this.decoder = this.track('language_model.model', new DecoderLm({ llm, lora }));
    const head = { inputSize: llm.hiddenSize, outputSize: llm.vocabSize, useBias: false };
    this.lmHead = this.track('language_model.lm_head', new Linear(head));
    this.refill = this.track('', new Refill(config));
  }

  /** Vision tokens of one tile. */
  get patches(): number {
    return visionTokens(this.config);
  }

  get positions(): number {
    return this.config.llm.maxPositionEmbeddings;
  }

  read(rows: MultimodalRows, features: FeatureTensors, options: ReadOptions = {}): CachedReading {
    return atOnce(this.reading(rows, features, options));
  }

  /** @param features 'vit' [tiles, N, C] where a row has a picture */
  reading(rows: MultimodalRows, features: FeatureTensors, options: ReadOptions = {}): Steps<CachedReading> {
    const { seg, imageContext } = this.config.tokens;
    return decoderReading(this.decoder, rows, features, options, {
      embed: () => this.embed(rows, rows.hasPictures ? this.projector.tokens(this.patchGrids(features)) : null),
      bias: (past) => scoreBias(rows, { seg, imageContext }, options, past),
    });
  }

  logits(states: tf.Tensor2D): tf.Tensor2D {
    return this.lmHead.forward(states) as tf.Tensor2D;
  }

  /** Masks of places whose pictures have one grid of tiles; the reading has whole conversations. */
  ground({ hidden, features, rows }: WholeReading, places: readonly Place[]): Grounding {
    if (rows === undefined) throw new Error('Self1e.ground: masks need the rows of a whole reading');
    const byRow = new Map<number, number[]>();
    for (const { row, states } of places) byRow.set(row, [...(byRow.get(row) ?? []), ...states]);
    const masks = [...byRow].map(([row, positions]) => {
      const states = statesAt(hidden, positions);
      return tf.tidy(() => this.refill.masks(this.pictureOf({ hidden, features, rows }, row), states).high);
    });
    const side = this.config.vision.imageSize / this.config.vision.patchSize;
    return { masks: masks.length === 0 ? tf.zeros([0, side, side]) : tf.concat(masks, 0), boxes: null, scores: null };
  }

  enlarge(masks: tf.Tensor3D, { original: [height, width] }: Geometry): tf.Tensor3D {
    return resizeBilinear(masks, height, width);
  }

  /** Text and vision tokens [tiles, …, D] → input embeddings of the language model [B, T, D]. */
  embed(rows: MultimodalRows, tokens: tf.Tensor | null): tf.Tensor3D {
    return embedRows(this.decoder.embedTokens, rows, tokens);
  }

  /** Tiles [n, S, S, 3] → vision tokens [n, g/2, g/2, D]. */
  visionTokens(images: tf.Tensor4D): tf.Tensor {
    return this.projector.tokens(this.patchGrids({ vit: this.encoders.vit.forward(images) }));
  }

  /** Embeddings [n, D] of ids [n]. */
  wordEmbeddings(ids: tf.Tensor1D): tf.Tensor2D {
    return this.decoder.embedTokens.forward(ids) as tf.Tensor2D;
  }

  /** Features [tiles, N, C] as grids [tiles, g, g, C]. */
  patchGrids(features: FeatureTensors): tf.Tensor4D {
    const { vit } = features;
    if (vit === undefined) throw new Error('Self1e: the features of "vit" are missing');
    const { imageSize, patchSize, hiddenSize } = this.config.vision;
    const side = imageSize / patchSize;
    return tf.reshape(vit, [-1, side, side, hiddenSize]);
  }

  /** Features of a row's picture, computed from its patches. */
  private pictureOf({ hidden, features, rows }: Required<WholeReading>, row: number): PictureFeatures {
    const picture = rows.pictureOf(row);
    const patches = tilesOf(this.patchGrids(features), picture);
    const tokens = this.projector.tokens(patches);
    const fine = this.projector.fine(patches, this.config.refill.retaining);
    const states: tf.Tensor4D = tf.reshape(statesAt(hidden, this.picturePositions(rows, row)), tokens.shape);
    return this.joined(picture, states, { tokens, fine });
  }

  /**
   * Features of a picture, its tiles put together.
   * @param states I [tiles, g/2, g/2, D], in the places of `picturePositions`
   * @param own V1, of the same shape, and HQ [tiles, g, g, D]
   */
  joined(
    { grid }: RowPicture,
    states: tf.Tensor4D,
    { tokens, fine }: { readonly tokens: tf.Tensor4D; readonly fine: tf.Tensor4D | null },
  ): PictureFeatures {
    return {
      tokens: joinTiles(tokens, grid),
      states: joinTiles(states, grid),
      fine: fine === null ? null : joinTiles(fine, grid),
    };
  }

  /** Places of a row's vision tokens, without a thumbnail's, as indices into [B·T]. */
  picturePositions(rows: MultimodalRows, row: number): number[] {
    const { columns, rows: tileRows } = rows.pictureOf(row).grid;
    const first = rows.firstVision(row);
    return Array.from({ length: columns * tileRows * this.patches }, (_, patch) => first + patch);
  }

  /** [images [tiles, S, S, 3], ids, states [n]: indices into B·T, one tile a row] → [logits, masks]; typed: `read`, `ground`. */
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const [images, ids, states] = inputs as [tf.Tensor4D, tf.Tensor2D, tf.Tensor1D];
      const rows = rowsOfIds(ids, this.patches);
      const reading = this.read(rows, { vit: this.encoders.vit.forward(images) });
      const places = [...states.dataSync()].map((state) => ({ row: Math.floor(state / rows.time), states: [state] }));
      return [this.lmHead.forward(reading.hidden), this.ground(reading, places).masks];
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const [, ids = [], states = []] = inputShape as Shape[];
    const [batch = null, time = null] = ids;
    const side = (SHUFFLE * this.config.vision.imageSize) / this.config.vision.patchSize;
    return [
      [batch, time === null ? null : time - 1 + this.patches, this.config.llm.vocabSize],
      [states[0] ?? null, side, side],
    ];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...(structuredClone(this.config) as unknown as tf.serialization.ConfigDict) };
  }
}
tf.serialization.registerClass(Self1e);
