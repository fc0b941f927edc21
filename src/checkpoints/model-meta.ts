/** Facts about a model in addition to its numbers: meta.json of its folder. */

/** Contents of meta.json. */
export interface ModelMeta {
  /** Style of conversation that it was trained with: 'llava_v1', … */
  readonly conversation: string;
  /** The training it comes from: 'base', 'gsva', … */
  readonly stage: string;
  readonly description: string;
  /** Subjects that its answers can be trusted on, in a few words: "coloured shapes only"; absent: none are named. */
  readonly knows?: string | undefined;
  /** A target is absent from this probability of the token that says so on, as found out by calibration. */
  readonly rejectThreshold?: number | undefined;
  /** Form of its answers, which its system reads; absent: as published. */
  readonly variant?: unknown;
  /** Further facts for a reader: seed, updates, figures. Nothing depends on them. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}
