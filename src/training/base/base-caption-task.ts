/** The base's third task: φ and F_LLM on captions of colour, shape and place, with F_V1 frozen, as LLaVA begins. */
import {
  type ConversationStyle,
  padBatch,
  type TokenizedConversation,
  tokenizeConversation,
} from '../../data/text/conversation.js';
import { clipTransform } from '../../data/image/image-transforms.js';
import { captionTurn } from '../../synthetic/base-text.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import * as tf from '../../engine/tf.js';
import { stackImages } from '../../features/image-features.js';
import { MultimodalRows } from '../../networks/multimodal-rows.js';
import type { Gradients } from '../../nn/loss-parts.js';
import { Random } from '../../random.js';
import { BaseTask, type BaseTaskOptions } from './base-task.js';
import { jointStep } from './joint-step.js';
import { likeliest, readLikeliest } from './mask-ious.js';

export interface BaseCaptionTaskOptions extends BaseTaskOptions {
  readonly tokenizer: Tokenizer;
  readonly conversation: ConversationStyle;
  readonly maxLength: number;
}

export interface CaptionSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly conversation: TokenizedConversation;
}

export class BaseCaptionTask extends BaseTask<CaptionSample, BaseCaptionTaskOptions> {
  constructor(options: BaseCaptionTaskOptions) {
    super(options, 'base-caption');
  }

  prepare(index: number, random: Random): Promise<CaptionSample> {
    const { pool, gsva, tokenizer, conversation, maxLength } = this.options;
    const { scene, image } = pool.get(index);
    return Promise.resolve({
      index,
      input: clipTransform(image, gsva.config.clip.imageSize).data,
      conversation: tokenizeConversation(tokenizer, conversation, [captionTurn(scene, random)], { maxLength }),
    });
  }

  async forwardBackward(batch: readonly CaptionSample[]): Promise<Gradients> {
    const clip = this.stack(batch);
    const targets = batch.map(() => ({ masks: [], rejected: 0, resized: [1, 1], original: [1, 1] }) as const);
    try {
      return await jointStep(
        this.network,
        { rows: this.rows(batch), inputs: { clip }, places: [], targets },
        this.variables,
      );
    } finally {
      clip.dispose();
    }
  }

  /** Share of caption tokens predicted right on unseen scenes (`tokens`), and with another scene's image (`blind`). */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const right = { tokens: 0, blind: 0 };
    let asked = 0;
    for (const indices of this.validationBatches()) {
      const samples = await Promise.all(indices.map((index) => this.prepare(index, new Random(index))));
      const rows = this.rows(samples);
      asked += rows.supervised().targets.length;
      right.tokens += await this.foreseen(rows, samples);
      right.blind += await this.foreseen(rows, [...samples.slice(1), ...samples.slice(0, 1)]);
    }
    return { tokens: right.tokens / Math.max(1, asked), blind: right.blind / Math.max(1, asked) };
  }

  /** Number of supervised tokens that are the likeliest ones next to the images of `seen`. */
  private async foreseen(rows: MultimodalRows, seen: readonly CaptionSample[]): Promise<number> {
    const model = this.network;
    const { positions, targets } = rows.supervised();
    const compute = (): tf.Tensor1D => {
      const { hidden } = model.read(rows, { clip: model.encoders.clip.forward(this.stack(seen)) });
      return likeliest(model.logits(model.statesAt(hidden, positions)));
    };
    const answer = tf.tidy(compute);
    const rerun = (): void => {
      tf.dispose(tf.tidy(compute));
    };
    const said = await readLikeliest(model, answer, rerun).finally(() => {
      answer.dispose();
    });
    return targets.filter((target, i) => said[i] === target).length;
  }

  private rows(samples: readonly CaptionSample[]): MultimodalRows {
    const conversations = samples.map(({ conversation }) => conversation);
    return new MultimodalRows(padBatch(conversations, this.options.tokenizer.padId), this.network.patches);
  }

  private stack(samples: readonly CaptionSample[]): tf.Tensor4D {
    const inputs = samples.map((sample) => sample.input);
    return stackImages(inputs, this.options.gsva.config.clip.imageSize);
  }
}
