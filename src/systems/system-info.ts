/** Types of systems that the library's own types name: no network, no words. */

/** Decision about a target. */
export type Answer = 'found' | 'absent';

/** A system: its paper, and abilities by which commands can refuse in words. */
export interface SystemInfo {
  /** As "system" of a config.json has it: 'gsva', 'lisa'. */
  readonly name: string;
  readonly paper: { readonly title: string; readonly url: string };
  readonly can: {
    /** Says "absent" by a token of its own, whose probability can be held against a threshold. */
    readonly rejects: boolean;
    readonly boxes: boolean;
    /** Pointed-at regions as part of a question. */
    readonly regions: boolean;
  };
}

export type MaskRules = 'gsva' | 'lisa' | 'one-pass';

/** Rules of a system's published evaluation, where systems differ. */
export interface EvaluationRules {
  /** ReasonSeg's ignored pixels: left out of the judgement, or counted as target. */
  readonly ignored: 'excluded' | 'counted';
  /**
   * How masks are judged, and with which figures (`benchmarkOf`). 'one-pass': every answer is forced and every mask is
   * drawn and compared, an absent target's with an empty one.
   */
  readonly masks: MaskRules;
}
