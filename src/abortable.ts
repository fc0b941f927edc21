/** What of an AbortSignal is used: every AbortSignal is one, and so is any object like it. */
export interface Abortable {
  readonly aborted: boolean;
  /** Throws the reason where it is aborted. */
  throwIfAborted(): void;
}
