/**
 * The contract between a system (GSVA, LISA, …) and the rest of the project. Interfaces only: training, evaluation,
 * inference and the command line import this file and the registry (systems/index.ts), and no system.
 *
 * A system answers questions about a picture in words; some of the tokens it writes are *decisions*: each stands for one
 * target and says that it was found (then it is grounded in a mask) or that it is absent.
 */
import type { Part } from '../checkpoints/parts.js';
import type { MakeLessons } from '../data/facts.js';
import type { EncoderInput } from '../data/image/prepare-image.js';
import type { Encoder } from '../networks/encoder.js';
import type { Turn } from '../data/text/conversation.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import type * as tf from '../engine/tf.js';
import type { Steps } from '../engine/steps.js';
import type { CompositeLayer } from '../nn/composite-layer.js';
import type { Gradients } from '../nn/loss-parts.js';
import type { MultimodalRows } from '../networks/multimodal-rows.js';
import type { BinaryMask, TileGrid } from '../types.js';
import type { Answer, EvaluationRules, SystemInfo } from './system-info.js';

// ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type { Answer };

/** An id that config.json gives to a token. */
export interface TokenId {
  readonly token: string;
  readonly id: number;
  /** Key of config.json. */
  readonly key: string;
}

/** Tokens of a system and the decisions that they make. */
export interface Vocabulary {
  /** Added to the tokenizer of the language model, in this order. */
  readonly added: readonly string[];
  /** Whether the tokenizer keeps white space next to added tokens (transformers ≥ 4.34) or strips it (4.31). */
  readonly addedTokenSpaces: 'kept' | 'stripped';
  /** Ids that say "found", at least one: the n-th decision of an answer takes the n-th of them, in turn. */
  readonly found: readonly number[];
  /** Ids that say "absent"; none where the system cannot say so. */
  readonly absent: readonly number[];
  /** Without ids that say "absent": a mask of fewer pixels says that the target is absent. */
  readonly absentBelow: number;
  /** Rows of the embedding. */
  readonly size: number;
  /** Ids that begin a text (null: none does) and end an answer. */
  readonly begin: number | null;
  readonly end: number;
  /** Id that stands where a row is shorter than others; it is never read. */
  readonly pad: number;
  /** Ids of added tokens, which the tokenizer has to share. */
  readonly ids: readonly TokenId[];
}

/** A question about some targets, by their places among all that are asked for. */
export interface Asked<T extends Turn = Turn> {
  readonly turn: T;
  readonly targets: readonly number[];
}
export type AnsweredTurn = Turn & { readonly assistant: string };

/** A decision of a freely written answer, with the text between it and the decision before. */
export interface AnswerPart {
  readonly text: string;
  readonly answer: Answer;
}

/** Which target each decision of a free answer is about. */
export interface ParsedAnswer {
  /** For every target the index of the part that answers it, null where none does. */
  readonly parts: readonly (number | null)[];
  /** Indices of the parts about nothing that was asked. */
  readonly unknown: readonly number[];
  /** Parts about a target (both by index) that has its answer already; the first one counts. */
  readonly repeated: readonly { readonly part: number; readonly expression: number }[];
  /** Targets without an answer. */
  readonly unanswered: number;
}

/** Free questions of a person in several rounds. */
export interface Chat {
  /** New tokens of an answer at most, unless a caller has another limit. */
  readonly maxTokens: number;
  /** The question as typed; `isFirst`: the picture stands in this turn. */
  turn(question: string, isFirst: boolean): Turn;
  /** Tokens of an answer as text for people. */
  shown(tokenizer: Tokenizer, ids: readonly number[]): string;
}

/** A system's way of asking and answering. */
export interface Dialogue {
  /**
   * Ways to ask that can be chosen by name. 'reference' is the published evaluation's, 'trained' one that the model was
   * trained with; every system has these two.
   */
  readonly forms: readonly string[];
  /** Whether a question of this form asks for one target only. */
  asksAlone(form: string): boolean;
  readonly lessons: MakeLessons;
  /** Question and forced answer about all texts, in as few conversations as the system has them. */
  exam(texts: readonly string[], answers: readonly Answer[], form: string): readonly Asked<AnsweredTurn>[];
  /** Questions that are answered freely. */
  open(texts: readonly string[], form: string): readonly Asked[];
  match(parts: readonly AnswerPart[], texts: readonly string[]): ParsedAnswer;
  readonly chat: Chat;
}

// ── pictures ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Geometry of a picture: [height, width] of the file and inside the padded encoder input, and its tiles. */
export interface Geometry {
  readonly original: readonly [number, number];
  readonly resized: readonly [number, number];
  /** Tiles of the picture, without its thumbnail; absent where no encoder takes tiles. */
  readonly grid?: TileGrid;
}

// ── the network ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Features of the frozen encoders by name, a batch each: [B, …]. */
export type FeatureTensors = Readonly<Record<string, tf.Tensor>>;

/** A decision token: the states one before each of its tokens, as indices into the rows' states [B·T]. */
export interface Place {
  readonly row: number;
  readonly states: readonly number[];
}

/** One pass of the language model. Owns `hidden` and its cache; not `features`. */
export interface Reading {
  readonly rows: MultimodalRows;
  readonly features: FeatureTensors;
  /** [B, T, D], after the final norm. */
  readonly hidden: tf.Tensor3D;
  dispose(): void;
}

export interface ReadOptions {
  /** Continues `reading`: `rows` stand behind position `from` of these of its rows. Needs its cache. */
  readonly after?: { readonly reading: Reading; readonly rows: readonly number[]; readonly from: number };
  /** Keeps keys and values, so that another reading can continue this one. */
  readonly keepCache?: boolean;
}

export interface Grounding {
  /** [n, h, w] logits. */
  readonly masks: tf.Tensor3D;
  /** [n, 4] in [0, 1]: left, top, right, bottom; null where the system draws masks alone. */
  readonly boxes: tf.Tensor2D | null;
  /** [n]; null where the system does not score. */
  readonly scores: tf.Tensor1D | null;
}

export interface GroundingModel extends CompositeLayer {
  /** Sizes, as its system's config.json has them. */
  readonly config: unknown;
  /** Those of its system. */
  readonly parts: readonly Part[];
  /** Names of the parts that its system's recipe trains. */
  readonly trains: readonly string[];
  /** By the names of `System.pictures`. */
  readonly encoders: Readonly<Record<string, Encoder>>;
  /** File or folder of the weights, for errors; null where they were drawn. */
  weightsFile: string | null;
  /** Positions of a row that the picture takes, or one of its tiles. */
  readonly patches: number;
  /**
   * Source of a mask: the states before its decision alone ('states'), or the states of the picture too, of one
   * pass over the whole conversation, its answer written ('whole reading').
   */
  readonly masksFrom: 'states' | 'whole reading';
  /** Positions that the LLM was made for. */
  readonly positions: number;
  /** Text and features → hidden states, layer by layer, so that a caller can stop in between. */
  reading(rows: MultimodalRows, features: FeatureTensors, options?: ReadOptions): Steps<Reading>;
  /** `reading` in one go. */
  read(rows: MultimodalRows, features: FeatureTensors, options?: ReadOptions): Reading;
  /** States [n, D] → logits [n, V]. */
  logits(states: tf.Tensor2D): tf.Tensor2D;
  /**
   * Masks of decision tokens, in the order of `places`, their rows ascending, on each place's own picture.
   * @param reading its rows can be left out where masks are made from states alone
   */
  ground(
    reading: Pick<Reading, 'hidden' | 'features'> & Partial<Pick<Reading, 'rows'>>,
    places: readonly Place[],
  ): Grounding;
  /** Mask logits [n, h, w] of one picture at its own size, by a differentiable map. */
  enlarge(masks: tf.Tensor3D, geometry: Geometry): tf.Tensor3D;
}

// ── training ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Targets of one row of a batch: the mask of each place, at the picture's own size. */
export interface MaskTargets extends Geometry {
  readonly masks: readonly BinaryMask[];
  /** Number of decisions that say "absent". */
  readonly rejected: number;
}

/** A micro-batch, one conversation a row. Features stay the caller's. */
export interface TrainingBatch {
  readonly rows: MultimodalRows;
  /** By encoder; of a recipe that trains the encoders, their inputs [tiles, S, S, 3]. */
  readonly features: FeatureTensors;
  /** Supervised decisions that say "found", row by row in the order of their masks. */
  readonly places: readonly Place[];
  readonly targets: readonly MaskTargets[];
}

export interface StepOptions {
  /** Seed of LoRA's dropout; null: no dropout. */
  readonly dropoutSeed?: number | null;
  /** Whether the language model's layers are run again on the way back; if not, the activations of all are held. */
  readonly recompute?: boolean;
}

/** One forward and backward pass: losses, and gradients that the caller owns. */
export type TrainingStep = (batch: TrainingBatch, options?: StepOptions) => Promise<Gradients>;

/** How a system learns to ground. */
export interface Recipe {
  /** Whether encoders train too: a batch has their inputs then in place of their features. Absent: they are frozen. */
  readonly trainsEncoders?: boolean;
  /** @param variables what trains, by checkpoint name; grouped by part once */
  step(model: GroundingModel, variables: ReadonlyMap<string, tf.Variable>): TrainingStep;
}

/** Weights of a file by name, and its path for errors. */
export type WeightNames = Readonly<{ names: Iterable<string>; source: string }>;

/** Type and check of a system's config.json in one. */
interface ConfigSchema<C> {
  /** @param weights show what config.json may leave out @throws UserError that names `source` and the key */
  parse(json: unknown, source: string, weights?: WeightNames): C;
  toJson(config: C): Record<string, unknown>;
}

/** Parts of meta.json, or of a training configuration, that a system reads. */
export interface ModelWords {
  /** Form of answers, as the system defines it; absent for the published form. */
  readonly variant?: unknown;
  /** Training: share of explained pictures answered by the explanation alone; below 0: none; absent: as published. */
  readonly explanationOnly?: number;
  /** Training: whether the targets of a picture are asked for in one conversation, where the system asks for one alone. */
  readonly together?: boolean;
  /** File that has it, for errors. */
  readonly source?: string;
}

export interface System<C = unknown> extends SystemInfo {
  readonly evaluation: EvaluationRules;
  readonly config: ConfigSchema<C>;
  readonly parts: readonly Part[];
  readonly recipe: Recipe;
  /**
   * Rows of the decision tokens where training starts from a base: drawn at random ('drawn', the default), or those that the
   * base's files were given ('given').
   */
  readonly startsTokens?: 'drawn' | 'given';
  vocabulary(config: C, words: ModelWords): Vocabulary;
  dialogue(config: C, words: ModelWords): Dialogue;
  /** Inputs of the frozen encoders, by name. */
  pictures(config: C): Readonly<Record<string, EncoderInput>>;
  /** Sizes with ids of all tokens that answers need, which the tokenizer gets; absent where config.json has them all. */
  grow?(config: C, words: ModelWords, tokenizer: Tokenizer): C;
  /** A model without weights; `build()` and a loader give it some. */
  build(config: C): GroundingModel;
}
