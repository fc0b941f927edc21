/**
 * One forward and backward pass of SELF1E's objective:
 *
 *   L = λ_ce · CE(next supervised token) + Σ over masks (λ_bce · BCE + λ_dice · DICE) / conversations
 *
 * The vision transformer trains too, so a batch has its inputs. Segments in the order of the forward pass: layers of the
 * vision transformer, mlp1, token embeddings, layers of the language model, projections (one conversation at a time) and
 * head; each is differentiated by itself (see nn/backprop.ts).
 */
import { VariableSegments } from '../../checkpoints/parts.js';
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { withoutClass } from '../../networks/intern-vit/intern-vit.js';
import { statesAt } from '../../networks/states-at.js';
import { differentiate, GradientMap, type NamedTensors, type NamedVariables } from '../../nn/backprop.js';
import { type LossParts, stepWithLosses } from '../../nn/loss-parts.js';
import { stackOnTape, stackRecomputed } from '../../nn/stack-gradients.js';
import type { Recipe, StepOptions, TrainingBatch } from '../system.js';
import { scoreBias } from './attention-bias.js';
import { maskLosses, reducedTargets } from './mask-losses.js';
import { Self1e } from './model.js';
import { tilesOf } from './tiles.js';

export const SELF1E_RECIPE: Recipe = {
  trainsEncoders: true,
  step: (model, variables) => {
    if (!(model instanceof Self1e)) throw new Error('SELF1E_RECIPE: it trains Self1e, not another network');
    const segments = new VariableSegments(model.parts, variables, segmentOf);
    return (batch, options = {}) => {
      return stepWithLosses(['ce', 'bce', 'dice'] as const, (losses) => {
        return new Pass(model, batch, segments, options, losses).gradients();
      });
    };
  },
};

/** Dropout seeds of the language model begin here, so that both networks' differ. */
const DECODER_SEEDS = 2 ** 14;

function segmentOf(part: string, layer: string): string {
  if (part === 'vision_lora' || part === 'vision_model') return `vision layer ${layer}`;
  if ((part === 'lora' || part === 'language_model') && layer !== '') return `layer ${layer}`;
  return part === 'lm_head' || part === 'language_model' ? 'head' : part; // with the last norm
}

type Losses = LossParts<'ce' | 'bce' | 'dice'>;

/** Features on the way, with the gradients that come back to them. */
interface Front {
  /** V1 [tiles, g/2, g/2, D] and HQ [tiles, g, g, D]; null in the variant without. */
  readonly tokens: tf.Tensor4D;
  readonly fine: tf.Tensor4D | null;
}

class Pass {
  private readonly found = new GradientMap();

  constructor(
    private readonly model: Self1e,
    private readonly batch: TrainingBatch,
    private readonly segments: VariableSegments,
    private readonly options: StepOptions,
    private readonly losses: Losses,
  ) {
    for (const [row, { masks }] of batch.targets.entries()) {
      const decisions = batch.places.filter((place) => place.row === row).length;
      if (decisions === masks.length) continue;
      throw new Error(`SELF1E_RECIPE: answer ${row} holds ${decisions} decisions for ${masks.length} masks`);
    }
  }

  gradients(): NamedTensors {
    const { model, batch, options, found } = this;
    const { dropoutSeed = null } = options;
    tf.tidy(() => {
      const vit = model.encoders.vit;
      const images = batch.features['vit'] as tf.Tensor4D;
      const stack = vit.stack(dropoutSeed);
      const layers = stack.map((_, layer) => this.segments.of(`vision layer ${layer}`));
      const embedded = vit.embed(images);
      const embeddingVariables = this.segments.of('vision_embeddings');
      if (layers.every(({ size }) => size === 0) && embeddingVariables.size === 0) {
        this.behindVision(vit.forward(images));
        return [...found.tensors.values()];
      }
      const after = (last: tf.Tensor): tf.Tensor => {
        const byFeatures = this.behindVision(withoutClass(last));
        // The class token ends here.
        return tf.pad(byFeatures, [
          [0, 0],
          [1, 0],
          [0, 0],
        ]);
      };
      const differentiateStack = options.recompute === false ? stackOnTape : stackRecomputed;
      const byEmbedded = differentiateStack(stack, embedded, after, layers, found);
      if (embeddingVariables.size > 0)
        differentiate(() => vit.embed(images), [], embeddingVariables, found, byEmbedded);
      return [...found.tensors.values()]; // kept; all else goes
    });
    return found.tensors;
  }

  /** Everything behind the vision transformer. @returns the gradient by its features [tiles, N, C] */
  private behindVision(features: tf.Tensor3D): tf.Tensor3D {
    const { model, batch, found } = this;
    const { projector, config } = model;
    const patches = model.patchGrids({ vit: features });
    const tokens = projector.tokens(patches);
    const fine = projector.fine(patches, config.refill.retaining);
    const gradients = this.behindProjector({ tokens, fine });
    const summed = (): tf.Tensor => {
      const own = projector.tokens(patches);
      const ownFine = projector.fine(patches, config.refill.retaining);
      const parts = [tf.sum(tf.mul(own, gradients.tokens))];
      if (ownFine !== null && gradients.fine !== null) parts.push(tf.sum(tf.mul(ownFine, gradients.fine)));
      return tf.addN(parts);
    };
    if (!batch.rows.hasPictures) return tf.zerosLike(features);
    const [byPatches] = differentiate(summed, [patches], this.segments.of('mlp1'), found).inputs as [tf.Tensor4D];
    return tf.reshape(byPatches, features.shape);
  }

  /** Language model, projections and head. @returns the gradients by V1 and HQ */
  private behindProjector(front: Front): Front {
    const { model, batch, options, found } = this;
    const { rows } = batch;
    const { dropoutSeed = null } = options;
    const { decoder } = model;
    const { seg, imageContext } = model.config.tokens;
    const context = {
      ...decoder.context(0, rows.time, rows.lengths, dropoutSeed === null ? null : dropoutSeed + DECODER_SEEDS),
      scoreBias: scoreBias(rows, { seg, imageContext }, {}, null),
    };
    const byFront = new FrontGradients(front);
    const after = (last: tf.Tensor): tf.Tensor => this.heads(last, front, byFront);
    const embeddings = model.embed(rows, front.tokens);
    const layers = decoder.layers.map((_, layer) => this.segments.of(`layer ${layer}`));
    const differentiateStack = options.recompute === false ? stackOnTape : stackRecomputed;
    try {
      const byEmbeddings = differentiateStack(decoder.stack(context), embeddings, after, layers, found);
      const embed = (): tf.Tensor => model.embed(rows, front.tokens);
      const embedVariables = this.segments.of('embed_tokens');
      const { inputs } = differentiate(embed, [front.tokens], embedVariables, found, byEmbeddings);
      byFront.addTokens(inputs[0] as tf.Tensor4D);
      return byFront.sums();
    } finally {
      byFront.dispose();
    }
  }

  /** Masks, then words. @returns the gradient by the last layer's output [B, T, D] */
  private heads(last: tf.Tensor, front: Front, byFront: FrontGradients): tf.Tensor {
    const { model, batch, losses, found } = this;
    const hidden = tf.tidy(() => model.decoder.norm.forward(last) as tf.Tensor3D);
    const grounded = batch.targets.flatMap(({ masks }, row) => {
      return masks.length === 0 ? [] : [this.maskSegment(hidden, row, front, byFront)];
    });
    const positions = grounded.flatMap((each) => each.positions);
    const byStates =
      positions.length === 0
        ? null
        : tf.concat(
            grounded.map(({ gradient }) => gradient),
            0,
          );
    const head = (): tf.Tensor => {
      const states = model.decoder.norm.forward(last) as tf.Tensor3D;
      const supervised = batch.rows.supervised();
      const logits = model.logits(statesAt(states, supervised.positions));
      const unweighted = fused.softmaxCrossEntropy(logits, tf.tensor1d(supervised.targets, 'int32'));
      const ce = losses.add('ce', tf.mul(unweighted, model.config.loss.ce));
      // d/dθ Σ(states · ∂L/∂states) is what the projections ask of the layers below.
      return byStates === null ? ce : tf.add(ce, tf.sum(tf.mul(statesAt(states, positions), byStates)));
    };
    return differentiate(head, [last], this.segments.of('head'), found).inputs[0] as tf.Tensor;
  }

  /** Masks of one conversation. @returns places of the states that they are made from, and the gradient there [n, D] */
  private maskSegment(hidden: tf.Tensor3D, row: number, front: Front, byFront: FrontGradients) {
    const { model, batch, losses } = this;
    const { loss } = model.config;
    const { masks, original } = batch.targets[row] as (typeof batch.targets)[number];
    const picture = batch.rows.pictureOf(row);
    const decisions = batch.places.filter((place) => place.row === row).flatMap(({ states }) => states);
    const positions = [...model.picturePositions(batch.rows, row), ...decisions];
    const states = statesAt(hidden, positions);
    const patches = positions.length - decisions.length;
    const tokens = tilesOf(front.tokens, picture);
    const fine = front.fine === null ? null : tilesOf(front.fine, picture);
    const targets = reducedTargets(masks, ...original);
    const segment = (): tf.Tensor => {
      const ofPicture = tf.slice(states, [0, 0], [patches, -1]);
      const ofDecisions = tf.slice(states, [patches, 0], [-1, -1]);
      const joined = model.joined(picture, tf.reshape(ofPicture, tokens.shape), { tokens, fine });
      const { high, low } = model.refill.masks(joined, ofDecisions);
      const { bce, dice } = maskLosses([high, low()], targets);
      const scaled = (x: tf.Tensor, weight: number): tf.Tensor => tf.mul(x, weight / batch.targets.length);
      return tf.add(losses.add('bce', scaled(bce, loss.bce)), losses.add('dice', scaled(dice, loss.dice)));
    };
    const inputs = [states, tokens, ...(fine === null ? [] : [fine])];
    const [gradient, byTokens, byFine] = differentiate(segment, inputs, this.projections, this.found).inputs;
    byFront.addTokens(byTokens as tf.Tensor4D, picture.firstTile);
    if (byFine !== undefined) byFront.addFine(byFine as tf.Tensor4D, picture.firstTile);
    return { positions, gradient: gradient as tf.Tensor };
  }

  private get projections(): NamedVariables {
    return this.segments.of('projections');
  }
}

/** Sums of the gradients by V1 and HQ, whose tiles several conversations share; they outlive the tape of the layers. */
class FrontGradients {
  private readonly tokens: tf.Tensor4D[] = [];
  private readonly fine: tf.Tensor4D[] = [];

  constructor(private readonly front: Front) {}

  /** @param firstTile of some tiles; by default `gradient` is of all */
  addTokens(gradient: tf.Tensor4D, firstTile = 0): void {
    this.tokens.push(tf.keep(amongAll(gradient, firstTile, this.front.tokens.shape[0])));
  }

  addFine(gradient: tf.Tensor4D, firstTile: number): void {
    this.fine.push(tf.keep(amongAll(gradient, firstTile, this.front.tokens.shape[0])));
  }

  sums(): Front {
    const { fine } = this.front;
    return {
      tokens: tf.addN(this.tokens),
      fine: fine === null ? null : this.fine.length === 0 ? tf.zerosLike(fine) : tf.addN(this.fine),
    };
  }

  dispose(): void {
    tf.dispose([this.tokens, this.fine]);
  }
}

/** Zeros at all other tiles. */
function amongAll(x: tf.Tensor4D, first: number, count: number): tf.Tensor4D {
  return tf.pad(x, [
    [first, count - first - x.shape[0]],
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
}
