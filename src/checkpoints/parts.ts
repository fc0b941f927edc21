/** Look-ups in a system's table of parts. The first row that fits a name counts. */
import * as tf from '../engine/tf.js';
import type { CompositeLayer } from '../nn/composite-layer.js';
import type { NamedVariables } from '../nn/backprop.js';

/**
 * A row of the paper's figure: the only place that knows where a part's weights stand in a checkpoint. Rows are in the
 * order in which they compute; the first one that fits a name counts, and several may make one part.
 */
export interface Part {
  /** By which recipes choose it, and under which its gradients and sizes are reported. */
  readonly name: string;
  /** In tables of sizes, where several parts may be one: "F_V2 (SAM)". */
  readonly symbol: string;
  /** For people: "layer 3 of the LLM". */
  readonly title: (number: string) => string;
  /** Groups: the number for `title`, then a kind of weights that is watched by itself (`q_proj`). */
  readonly pattern: RegExp;
  /** Whether a model that training starts from may lack it. */
  readonly startsRandom?: boolean;
}

/** A network with the table of its parts. */
export type PartedLayer = CompositeLayer & { readonly parts: readonly Part[] };

/** "layer 7 of the LLM" for the name of one of its weights or layers; the name itself where it is of no known part. */
export function partTitle(parts: readonly Part[], name: string): string {
  const part = rowOf(parts, name);
  return part?.title(part.pattern.exec(name)?.[1] ?? '') ?? (name === '' ? 'the model' : name);
}

function rowOf(parts: readonly Part[], name: string): Part | undefined {
  return parts.find(({ pattern }) => pattern.test(name));
}

/** The names in the order in which their parts compute. */
export function inNetworkOrder(parts: readonly Part[], names: Iterable<string>): string[] {
  const placeOf = (name: string): [number, number] => {
    const row = parts.findIndex(({ pattern }) => pattern.test(name));
    return [row < 0 ? parts.length : row, Number(parts[row]?.pattern.exec(name)?.[1] ?? 0)];
  };
  const placed = [...names].map((name) => ({ name, place: placeOf(name) }));
  return placed.sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1]).map(({ name }) => name);
}

/** Name of the part that a variable belongs to; its own where it is of no part. */
export function partOf(parts: readonly Part[], name: string): string {
  return rowOf(parts, name)?.name ?? name;
}

/** Name under which a run reports a variable's gradient: `lora_q_proj`, `mask_decoder`, … */
export function watchedPartOf(parts: readonly Part[], name: string): string {
  const kind = rowOf(parts, name)?.pattern.exec(name)?.[2];
  return kind === undefined ? partOf(parts, name) : `${partOf(parts, name)}_${kind}`;
}

/** Names that a model which training starts from may lack. */
export function startsRandom(parts: readonly Part[]): RegExp {
  return anyOf(parts.filter((part) => part.startsRandom === true));
}

/** Names of the weights of a part. */
export function patternsOf(parts: readonly Part[], name: string): RegExp {
  return anyOf(parts.filter((part) => part.name === name));
}

function anyOf(parts: readonly Part[]): RegExp {
  return new RegExp(parts.map(({ pattern }) => pattern.source).join('|'));
}

/** Variables of some parts by name, in checkpoint order. */
export function variablesOf(layer: PartedLayer, parts: readonly string[]): Map<string, tf.Variable> {
  const out = new Map<string, tf.Variable>();
  for (const [name, { variable }] of layer.namedParameters()) {
    if (!parts.includes(partOf(layer.parts, name))) continue;
    const value = variable.read();
    if (!(value instanceof tf.Variable)) throw new Error(`variablesOf: "${name}" is not a variable`);
    out.set(name, value as tf.Variable);
  }
  return out;
}

/** Variables by segment of the backward pass, each in their own order. */
export class VariableSegments {
  private readonly segments = new Map<string, Map<string, tf.Variable>>();

  /** @param segmentOf name of the segment that a part belongs to, by its name and number ('' where it has none) */
  constructor(parts: readonly Part[], variables: NamedVariables, segmentOf: (part: string, number: string) => string) {
    for (const [name, variable] of variables) {
      const part = rowOf(parts, name);
      const segment = segmentOf(part?.name ?? name, part?.pattern.exec(name)?.[1] ?? '');
      const own = this.segments.get(segment) ?? new Map<string, tf.Variable>();
      this.segments.set(segment, own.set(name, variable));
    }
  }

  of(segment: string): NamedVariables {
    return this.segments.get(segment) ?? new Map<string, tf.Variable>();
  }
}
