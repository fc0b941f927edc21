/** The four files or folders that the published code is given. */
export type PublishedPart = 'mllm' | 'vision tower' | 'sam' | 'weights';

/** Tensors of one part, and their use. */
export interface PartReport {
  readonly part: PublishedPart;
  readonly files: readonly string[];
  /** The key of the file under which the tensors lie, and others next to it; null: they are at its top. */
  readonly within: string | null;
  readonly loaded: number;
  /** Names that another part gives as well, and which replaces this one. */
  readonly replaced: readonly string[];
  readonly unused: readonly { readonly name: string; readonly reason: string }[];
}

/** How published files were put together. */
export interface PublishedTensors {
  readonly parts: readonly PartReport[];
  /** Tables that were given rows for the added tokens. */
  readonly grown: readonly { readonly name: string; readonly from: number; readonly to: number }[];
}
