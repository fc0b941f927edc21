/** The four files or folders that the published code is given. */
export type PublishedPart = 'mllm' | 'vision tower' | 'sam' | 'weights';
