/** A question about a picture that is answered in words, as evaluations take it. */

export interface VqaQuestion {
  /** Unique in its file; the published id where there is one. */
  readonly id: string;
  /** Path of the picture. */
  readonly image: string;
  /** The question as the set has it, without an instruction about the form of the answer. */
  readonly text: string;
  /** At least one: the ten of the annotators, in their order, or the only one. */
  readonly answers: readonly string[];
  /** The set's own division of its questions (type of answer, task, sampling); '' where it has none. */
  readonly category: string;
}
