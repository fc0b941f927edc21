/** The parts that train in each stage. */
import type * as tf from '../engine/tf.js';
import { type Part, type PartedLayer, partOf, variablesOf } from '../checkpoints/parts.js';

const LANGUAGE_MODEL = ['embed_tokens', 'lora', 'language_model', 'lm_head'] as const;

/** Stages of a base of LLaVA and SAM, with the parts that train. */
const BASE_STAGES = {
  /** The base's vision, and the words that it is matched with: F_V1 and φ, or InternViT and mlp1. */
  'base-clip': ['vision_tower', 'projector', 'vision_embeddings', 'vision_model', 'mlp1', 'embed_tokens'],
  /** The base's φ and F_LLM on captions; F_V1 stays as it is, as where LLaVA begins. */
  'base-caption': ['projector', ...LANGUAGE_MODEL],
  /** The base's φ and F_LLM once more, on scene grounding in words. */
  'base-grounding': ['projector', ...LANGUAGE_MODEL],
  /** The base's SAM: F_V2, prompt encoder, F_mask. */
  'base-sam': ['image_encoder', 'prompt_encoder', 'mask_decoder'],
  /** Another F_V2 for the base. */
  'base-distill': ['image_encoder'],
  /** The base as a whole: all but SAM's prompt encoder, whose points and boxes are not asked for. */
  'base-joint': ['vision_tower', 'projector', ...LANGUAGE_MODEL, 'psi', 'image_encoder', 'mask_decoder'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** 'grounding' is the system's own recipe, and 'gsva' its older name; 'base-whole' trains all parts by that recipe. */
const OWN_STAGES = ['grounding', 'gsva', 'base-whole'] as const;

export type BaseStage = keyof typeof BASE_STAGES;
export type Stage = (typeof OWN_STAGES)[number] | BaseStage;
export const STAGES: readonly Stage[] = [...OWN_STAGES, ...(Object.keys(BASE_STAGES) as BaseStage[])];

/** Whether a stage is the system's own recipe. */
export function isGrounding(stage: Stage): stage is 'grounding' | 'gsva' {
  return stage === 'grounding' || stage === 'gsva';
}

/** Whether a stage trains by the system's own recipe on data sets, not on scenes of a task of its own. */
export function trainsOnSets(stage: Stage): stage is (typeof OWN_STAGES)[number] {
  return isGrounding(stage) || stage === 'base-whole';
}

/** A network as far as it says what trains. */
export interface Trained {
  readonly parts: readonly Part[];
  /** Names of the parts that its system's recipe trains. */
  readonly trains: readonly string[];
}

/** Names of the parts that train in a stage. */
export function trainsIn(stage: Stage, { parts, trains }: Trained): readonly string[] {
  if (isGrounding(stage)) return trains;
  return stage === 'base-whole' ? [...new Set(parts.map(({ name }) => name))] : BASE_STAGES[stage];
}

/** Whether the parameter of that name trains in a stage. */
export function isTrainable(network: Trained, name: string, stage: Stage): boolean {
  return trainsIn(stage, network).includes(partOf(network.parts, name));
}

/** The variables of a stage by name, in checkpoint order. */
export function trainableVariables(network: PartedLayer & Trained, stage: Stage): Map<string, tf.Variable> {
  return variablesOf(network, trainsIn(stage, network));
}
