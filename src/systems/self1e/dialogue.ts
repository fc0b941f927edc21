/**
 * SELF1E's way of asking and answering: LISA's words in a conversation per target with one [SEG]; a target that is absent
 * has an empty mask. The published recipe never explains.
 */
import type { Chat } from '../system.js';
import { chatTurn } from '../shared/lisa-prompts.js';
import { SingleTargetDialogue } from '../shared/single-target-dialogue.js';

/** Pictures with an explanation are asked about like all others. */
const NEVER_EXPLAINED = -1;

/** InternVL's own program prints an answer without special tokens; its limit is not published. */
const CHAT: Chat = {
  maxTokens: 512,
  turn: chatTurn,
  shown: (tokenizer, ids) => tokenizer.decode(ids, { skipSpecial: true }).trim(),
};

export class Self1eDialogue extends SingleTargetDialogue {
  /** @param explanationOnly share of explained pictures that are answered in words alone; below 0: never explain */
  constructor(explanationOnly = NEVER_EXPLAINED) {
    super(CHAT, explanationOnly);
  }
}
