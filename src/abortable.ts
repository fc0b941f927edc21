/** The part of an AbortSignal that is used; every AbortSignal has it. */
export interface Abortable {
  readonly aborted: boolean;
  /** Throws the reason where it is aborted. */
  throwIfAborted(): void;
}
