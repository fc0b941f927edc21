/**
 * Escaping for the three kinds of file a report consists of. Expressions and answers come from users and from a
 * language model: they are text, never markup.
 */

/** Control characters (of which XML allows three), halves of surrogate pairs, and two that are no characters. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r]|\p{Cs}|[\ufffe\uffff]/gu;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and quoted attributes of HTML and SVG. Characters that no XML file may hold become U+FFFD. */
export function escapeMarkup(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd').replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/**
 * For text inside a line or table cell of GitHub Markdown: one line, nothing in it is formatting, a link or HTML. Not
 * for the start of a line, where also "1." and "-" have a meaning.
 */
export function escapeMarkdown(text: string): string {
  return text
    .replace(UNPRINTABLE, '\ufffd')
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]#|~@$]|(?<=www)\.|:(?=\/\/|[\w+-]+:)/gi, '\\$&')
    .replace(/[&<>]/g, (character) => ENTITIES[character] ?? character)
    .trim();
}

/** Cuts a text to `length` characters (code points), ending in "..." where something was cut. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, Math.max(0, length - 3)).join('')}...`;
}
