/**
 * The base's last tasks, scene grounding: an expression is answered with places or "no". First φ and F_LLM alone, then
 * the whole model with masks, whose query is the state that decides between place and "no", as in GSVA; last in the
 * forms of GSVA's training, which repeat lists. Captions go on among them, against forgetting.
 */
import { padBatch } from '../../data/text/conversation.js';
import { llavaSamPictures } from '../../systems/shared/llava-sam-system.js';
import { prepareImage } from '../../data/image/prepare-image.js';
import { captionTurn, groundingConversation, trainedFormConversation } from '../../synthetic/base-text.js';
import type { GroundedExpression, GroundingConversation, TrainedFormConversation } from '../../synthetic/base-text.js';
import { visibleMask } from '../../synthetic/scene.js';
import type { MakeLessons } from '../../data/facts.js';
import * as tf from '../../engine/tf.js';
import { MultimodalRows } from '../../networks/multimodal-rows.js';
import type { Gradients } from '../../nn/loss-parts.js';
import { Random } from '../../random.js';
import { IGNORE_LABEL } from '../../special-tokens.js';
import type { MaskTargets } from '../../systems/system.js';
import type { PreparedImage } from '../../types.js';
import type { GroundingForms } from '../config/data-config.js';
import { BaseTask, type BaseTaskOptions, Mean, stackInputs } from './base-task.js';
import { type GroundedTokens, GroundingTokens, type TextOptions } from './grounding-tokens.js';
import { type JointBatch, jointStep } from './joint-step.js';
import { likeliest, maskIous, readLikeliest, repeated } from './mask-ious.js';

export interface BaseGroundingTaskOptions extends BaseTaskOptions, TextOptions {
  /** 'base-grounding' is words alone, 'base-joint' is masks too. */
  readonly stage: 'base-grounding' | 'base-joint';
  /** Expressions and words asked about a scene, together. */
  readonly itemsPerScene: number;
  readonly forms: GroundingForms;
  /** Conversations of the system, for its forms. */
  readonly lessons: MakeLessons;
  /** Ids of the system's decision tokens. */
  readonly decisionIds: readonly number[];
}

export interface GroundingSample extends GroundedTokens {
  readonly index: number;
  readonly image: PreparedImage;
  readonly targets: MaskTargets;
}

/** Share of the conversations that are captions. */
const CAPTIONS: Readonly<Record<GroundingForms, number>> = { scene: 0.2, trained: 0.1 };
/** Share of the others whose question names the expressions, which makes them twice as long. */
const NAMED: Readonly<Record<GroundingForms, number>> = { scene: 0.3, trained: 0.85 };
/** Share of single words among what is asked. */
const WORDS = 1 / 3;

export class BaseGroundingTask extends BaseTask<GroundingSample, BaseGroundingTaskOptions> {
  private readonly words: GroundingTokens;

  constructor(options: BaseGroundingTaskOptions) {
    super(options, options.stage);
    this.words = new GroundingTokens(options, options.decisionIds);
  }

  prepare(index: number, random: Random): GroundingSample {
    const { itemsPerScene, pool, forms, lessons } = this.options;
    const { scene } = pool.get(index);
    if (random.uniform() < CAPTIONS[forms]) {
      const turn = captionTurn(scene, random);
      return this.sample(index, { turn, asked: [], named: true });
    }
    // A question that names the expressions says them twice: half as many are asked.
    const named = random.uniform() < NAMED[forms];
    if (named && forms === 'trained') {
      return this.trainedFormSample(index, trainedFormConversation(scene, random, lessons, itemsPerScene));
    }
    const items = named ? Math.ceil(itemsPerScene / 2) : itemsPerScene;
    const words = Math.floor(items * WORDS);
    const counts = { expressions: items - words, words };
    return this.sample(index, groundingConversation(scene, random, counts, named));
  }

  async forwardBackward(batch: readonly GroundingSample[]): Promise<Gradients> {
    const joint = this.collate(batch, this.options.stage === 'base-joint');
    try {
      return await jointStep(this.network, joint, this.variables);
    } finally {
      tf.dispose([joint.inputs.clip, joint.inputs.sam ?? []]);
    }
  }

  /**
   * On unseen scenes, for the benchmark's expressions alone: rates of right absences (`absent`), of some place for
   * present targets (`present`) and of right columns (`column`); in trained forms, the share of the repeated list's
   * tokens that are predicted (`list`); with masks, their mean IoU (`maskIoU`).
   */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { itemsPerScene, pool, stage, forms, lessons } = this.options;
    const list = new Mean();
    const shares = { absent: new Mean(), present: new Mean(), column: new Mean() };
    const maskIoU = new Mean();
    const counts = { expressions: itemsPerScene, words: 0 };
    for (const indices of this.validationBatches()) {
      const samples = indices.map((index) => {
        const { scene } = pool.get(index);
        if (forms === 'scene')
          return this.sample(index, groundingConversation(scene, new Random(index), counts, false));
        const conversation = trainedFormConversation(scene, new Random(index), lessons, itemsPerScene);
        return this.trainedFormSample(index, conversation);
      });
      const { expected, said, ious, written } = await this.answer(samples);
      list.addAll(written);
      maskIoU.addAll(ious);
      expected.forEach((token, i) => {
        if (token === this.words.absent) shares.absent.add(said[i] === token);
        else {
          shares.present.add(said[i] !== this.words.absent);
          shares.column.add(said[i] === token);
        }
      });
    }
    const figures = { absent: shares.absent.value, present: shares.present.value, column: shares.column.value };
    return {
      ...figures,
      ...(forms === 'trained' ? { list: list.value } : {}),
      ...(stage === 'base-joint' ? { maskIoU: maskIoU.value } : {}),
    };
  }

  private sample(index: number, grounding: GroundingConversation): GroundingSample {
    return this.withMasks(index, grounding.asked, this.words.sceneForm(grounding));
  }

  private trainedFormSample(index: number, conversation: TrainedFormConversation): GroundingSample {
    return this.withMasks(index, conversation.asked, this.words.trainedForm(conversation));
  }

  private withMasks(index: number, asked: readonly GroundedExpression[], tokenized: GroundedTokens): GroundingSample {
    const { pool, gsva } = this.options;
    const { scene, image } = pool.get(index);
    const prepared = prepareImage(image, llavaSamPictures(gsva.config));
    const { conversation, decisions } = tokenized;
    // Where the end was cut off, its masks were too.
    const shown = asked.slice(0, decisions.length).filter(({ objects }) => objects.length > 0);
    const { resized, original } = prepared;
    const masks = shown.map(({ objects }) => visibleMask(scene, objects));
    return { index, image: prepared, conversation, decisions, targets: { masks, rejected: 0, resized, original } };
  }

  /** Expected and likeliest first tokens, mask IoUs, and how many tokens behind the first decision are likeliest. */
  private async answer(samples: readonly GroundingSample[]): Promise<{
    readonly expected: readonly number[];
    readonly said: readonly number[];
    readonly ious: readonly number[];
    readonly written: readonly boolean[];
  }> {
    const model = this.network;
    const { rows, inputs, targets, places } = this.collate(samples, true);
    const decisions = samples.flatMap(({ decisions, conversation }, row) =>
      decisions.map((token) => ({
        position: rows.flatIndex(row, token) - 1,
        expected: conversation.inputIds[token] as number,
      })),
    );
    const written = samples.flatMap(({ decisions, conversation }, row) => {
      const { labels } = conversation;
      return labels.flatMap((expected, token) => {
        const isList = expected !== IGNORE_LABEL && token > (decisions[0] ?? Infinity) && !decisions.includes(token);
        return isList ? [{ position: rows.flatIndex(row, token) - 1, expected }] : [];
      });
    });
    const compute = (): { choice: tf.Tensor1D; masks: tf.Tensor3D } => {
      const features = { clip: model.encoders.clip.forward(inputs.clip), sam: model.encoders.sam.forward(inputs.sam) };
      const reading = model.read(rows, features);
      const positions = [...decisions, ...written].map(({ position }) => position);
      const logits = model.logits(model.statesAt(reading.hidden, positions));
      return { choice: likeliest(logits), masks: model.ground(reading, places).masks };
    };
    const { choice, masks } = tf.tidy(compute);
    const rerun = repeated(compute);
    try {
      const foreseen = [...(await readLikeliest(model, choice, rerun))];
      const ious = await maskIous(model, masks, targets, rerun);
      return {
        expected: decisions.map(({ expected }) => expected),
        said: foreseen.slice(0, decisions.length),
        ious,
        written: written.map(({ expected }, i) => foreseen[decisions.length + i] === expected),
      };
    } finally {
      tf.dispose([choice, masks, inputs.clip, inputs.sam]);
    }
  }

  private collate(samples: readonly GroundingSample[], withMasks: true): JointBatch & { inputs: { sam: tf.Tensor4D } };
  private collate(samples: readonly GroundingSample[], withMasks: boolean): JointBatch;
  private collate(samples: readonly GroundingSample[], withMasks: boolean): JointBatch {
    const { gsva, tokenizer } = this.options;
    const conversations = samples.map(({ conversation }) => conversation);
    const rows = new MultimodalRows(padBatch(conversations, tokenizer.padId), gsva.patches);
    const stacked = (name: 'clip' | 'sam'): tf.Tensor4D => {
      const inputs = samples.map(({ image }) => ({ input: image.inputs[name] as Float32Array }));
      return stackInputs(inputs, gsva.config[name].imageSize);
    };
    if (!withMasks) {
      const targets = samples.map(({ targets }) => ({ ...targets, masks: [] }));
      return { rows, inputs: { clip: stacked('clip') }, places: [], targets };
    }
    const places = samples.flatMap(({ decisions, conversation }, row) =>
      decisions
        .filter((token) => conversation.inputIds[token] !== this.words.absent)
        .map((token) => ({ row, states: [rows.flatIndex(row, token) - 1] })),
    );
    const targets = samples.map(({ targets }) => targets);
    return { rows, inputs: { clip: stacked('clip'), sam: stacked('sam') }, places, targets };
  }
}
