/** The parts of the network by the names of their weights: what a person calls them, and in which order they compute. */

interface NetworkPart {
  readonly pattern: RegExp;
  /** @param number of the layer or block, counted from 0; '' where the part has none */
  readonly title: (number: string) => string;
}

/** In the order in which they compute. */
const PARTS: readonly NetworkPart[] = [
  {
    pattern: /^model\.vision_tower\..*?encoder\.layers\.(\d+)(?:\.|$)/,
    title: (layer) => `layer ${layer} of the vision tower (F_V1)`,
  },
  { pattern: /^model\.vision_tower(?:\.|$)/, title: () => 'the vision tower (F_V1)' },
  { pattern: /^model\.mm_projector(?:\.|$)/, title: () => 'the projector (φ)' },
  { pattern: /^model\.embed_tokens(?:\.|$)/, title: () => "the LLM's token embeddings" },
  { pattern: /^model\.layers\.(\d+)(?:\.|$)/, title: (layer) => `layer ${layer} of the LLM` },
  { pattern: /^model\.norm(?:\.|$)/, title: () => "the LLM's last norm" },
  { pattern: /^lm_head(?:\.|$)/, title: () => "the LLM's head" },
  { pattern: /^model\.text_hidden_fcs(?:\.|$)/, title: () => 'ψ (from hidden state to mask query)' },
  {
    pattern: /^model\.visual_model\.image_encoder\.blocks\.(\d+)(?:\.|$)/,
    title: (block) => `block ${block} of SAM's image encoder (F_V2)`,
  },
  { pattern: /^model\.visual_model\.image_encoder(?:\.|$)/, title: () => "SAM's image encoder (F_V2)" },
  { pattern: /^model\.visual_model\.prompt_encoder(?:\.|$)/, title: () => "SAM's prompt encoder" },
  { pattern: /^model\.visual_model\.mask_decoder(?:\.|$)/, title: () => "SAM's mask decoder (F_mask)" },
  { pattern: /^model$/, title: () => 'the LLM' },
];

/** "layer 7 of the LLM" for the name of one of its weights or layers; the name itself where it is of no known part. */
export function partTitle(name: string): string {
  for (const { pattern, title } of PARTS) {
    const match = pattern.exec(name);
    if (match !== null) return title(match[1] ?? '');
  }
  return name === '' ? 'the model' : name;
}

/** The names in the order in which their parts compute. */
export function inNetworkOrder(names: Iterable<string>): string[] {
  const placeOf = (name: string): [number, number] => {
    const part = PARTS.findIndex(({ pattern }) => pattern.test(name));
    return [part < 0 ? PARTS.length : part, Number(PARTS[part]?.pattern.exec(name)?.[1] ?? 0)];
  };
  const placed = [...names].map((name) => ({ name, place: placeOf(name) }));
  return placed.sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1]).map(({ name }) => name);
}
