/** Expressions as people and datasets write them. */
import { UserError } from '../../errors.js';
import { RESERVED_TEXTS } from '../../special-tokens.js';

/** Without surrounding spaces, then without surrounding dots, in this order, as the reference does it. */
export function cleanExpression(text: string): string {
  const trimmed = text.trim();
  let start = 0;
  let end = trimmed.length;
  while (start < end && trimmed[start] === '.') start++;
  while (end > start && trimmed[end - 1] === '.') end--;
  return trimmed.slice(start, end);
}

/** A user's expression, cleaned, in lower case. @throws UserError where it is empty or holds special tokens */
export function checkedExpression(text: string): string {
  // A line feed would be a token that no expression of training has.
  const cleaned = cleanExpression(text.replace(/\s+/g, ' ')).trim().toLowerCase();
  if (cleaned === '') {
    throw new UserError(
      `Reading the expression ${JSON.stringify(text)}: it is empty. Say what to segment, such as "red circle".`,
    );
  }
  const reserved = RESERVED_TEXTS.find((token) => cleaned.includes(token.toLowerCase()));
  if (reserved !== undefined) {
    throw new UserError(
      `Reading the expression ${JSON.stringify(text)}: it contains ${reserved}, which is reserved. Leave it out.`,
    );
  }
  return cleaned;
}
