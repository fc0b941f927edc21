/** The base's third task: φ and F_LLM on captions of colour, shape and place, with F_V1 frozen, as LLaVA begins. */
import { padBatch, type TokenizedConversation, tokenizeConversation } from '../../data/text/conversation.js';
import { clipTransform } from '../../data/image/image-transforms.js';
import { captionTurn } from '../../synthetic/base-text.js';
import * as tf from '../../engine/tf.js';
import { MultimodalRows } from '../../networks/multimodal-rows.js';
import type { Gradients } from '../../nn/loss-parts.js';
import type { Random } from '../../random.js';
import { BaseTask, type BaseTaskOptions, Mean, stackInputs } from './base-task.js';
import type { TextOptions } from './grounding-tokens.js';
import { jointStep } from './joint-step.js';
import { likeliest, readLikeliest, repeated } from './mask-ious.js';

export interface CaptionSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly conversation: TokenizedConversation;
}

export class BaseCaptionTask extends BaseTask<CaptionSample, BaseTaskOptions & TextOptions> {
  constructor(options: BaseTaskOptions & TextOptions) {
    super(options, 'base-caption');
  }

  prepare(index: number, random: Random): CaptionSample {
    const { pool, gsva, tokenizer, conversation, maxLength } = this.options;
    const { scene, image } = pool.get(index);
    return {
      index,
      input: clipTransform(image, gsva.config.clip.imageSize).data,
      conversation: tokenizeConversation(tokenizer, conversation, [captionTurn(scene, random)], { maxLength }),
    };
  }

  async forwardBackward(batch: readonly CaptionSample[]): Promise<Gradients> {
    const clip = this.stack(batch);
    const targets = batch.map(() => ({ masks: [], rejected: 0, resized: [1, 1], original: [1, 1] }) as const);
    try {
      const joint = { rows: this.rows(batch), inputs: { clip }, places: [], targets };
      return await jointStep(this.network, joint, this.variables);
    } finally {
      clip.dispose();
    }
  }

  /** Share of caption tokens predicted right on unseen scenes (`tokens`), and with another scene's image (`blind`). */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const right = { tokens: new Mean(), blind: new Mean() };
    for (const samples of this.validationSamples()) {
      const rows = this.rows(samples);
      right.tokens.addAll(await this.foreseen(rows, samples));
      right.blind.addAll(await this.foreseen(rows, [...samples.slice(1), ...samples.slice(0, 1)]));
    }
    return { tokens: right.tokens.value, blind: right.blind.value };
  }

  /** Whether each supervised token is the likeliest one next to the images of `seen`. */
  private async foreseen(rows: MultimodalRows, seen: readonly CaptionSample[]): Promise<boolean[]> {
    const model = this.network;
    const { positions, targets } = rows.supervised();
    const compute = (): tf.Tensor1D => {
      const { hidden } = model.read(rows, { clip: model.encoders.clip.forward(this.stack(seen)) });
      return likeliest(model.logits(model.statesAt(hidden, positions)));
    };
    const answer = tf.tidy(compute);
    const said = await readLikeliest(model, answer, repeated(compute)).finally(() => {
      answer.dispose();
    });
    return Array.from(targets, (target, i) => said[i] === target);
  }

  private rows(samples: readonly CaptionSample[]): MultimodalRows {
    const conversations = samples.map(({ conversation }) => conversation);
    return new MultimodalRows(padBatch(conversations, this.options.tokenizer.padId), this.network.patches);
  }

  private stack(samples: readonly CaptionSample[]): tf.Tensor4D {
    return stackInputs(samples, this.options.gsva.config.clip.imageSize);
  }
}
