/**
 * Normalised answers: the forms in which VQA's evaluation (Antol et al. 2015; vqaEval.py of its authors) and TextVQA's
 * (Singh et al. 2019; EvalAI's answer processor) compare a reply with the annotators' answers. Both remove punctuation,
 * write number words as digits, drop articles and restore apostrophes, in this order.
 */

/** Marks that are removed next to a blank and in a text with "1,000", and make way for a blank elsewhere. */
const MARKS: readonly string[] = Array.from(';/[]"{}()=+\\_-><@`,?!');
const COMMA_IN_NUMBER = /\p{Nd},\p{Nd}/u;
/** The published pattern means "not after a digit" as well, but its look-behind is written so that it never holds. */
const FULL_STOP = /\.(?!\p{Nd})/gu;
/** Full stops removed at most: `re.UNICODE`, 32, stands in the place of a count there. */
const MOST_FULL_STOPS = 32;

const DIGITS = new Map(
  ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']
    .map((word, number) => [word, String(number)] as const)
    .concat([['none', '0']]),
);
const ARTICLES: ReadonlySet<string> = new Set(['a', 'an', 'the']);

/** Words with their apostrophes; one that lacks one of them is understood. */
const CONTRACTIONS = `
  ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
  how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
  oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
  someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
  they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's where'd
  where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll
  y'all'd've you'd you'd've you'll you're you've`;

/** Forms without one of the apostrophes → the whole form. "somebody'd" loses its own, as published. */
const COMPLETED: ReadonlyMap<string, string> = new Map([
  ...CONTRACTIONS.trim()
    .split(/\s+/)
    .flatMap((whole) =>
      [...whole.matchAll(/'/g)].map(({ index }) => [whole.slice(0, index) + whole.slice(index + 1), whole] as const),
    ),
  ["somebody'd", 'somebodyd'] as const,
]);

/** The text on one line, as both evaluations begin. */
export function onOneLine(text: string): string {
  return text.replace(/[\n\t]/g, ' ').trim();
}

/** A reply or answer as VQA's evaluation compares it, where the annotators do not all agree. */
export function vqaText(text: string): string {
  return comparedWords(withoutMarks(onOneLine(text)));
}

/** A reply or answer as TextVQA's evaluation compares it: in lower case, "'s" a word of its own. */
export function evalAiText(text: string): string {
  const words = text.toLowerCase().replace(/[,?]/g, '').replaceAll("'s", " 's");
  return comparedWords(withoutMarks(onOneLine(words)));
}

function withoutMarks(text: string): string {
  const hasNumber = COMMA_IN_NUMBER.test(text);
  let plain = text;
  for (const mark of MARKS) {
    // The text as given decides: a mark removed earlier leaves no blank behind.
    const isAtBlank = text.includes(`${mark} `) || text.includes(` ${mark}`);
    plain = plain.replaceAll(mark, isAtBlank || hasNumber ? '' : ' ');
  }
  let stops = 0;
  return plain.replace(FULL_STOP, (stop) => (++stops > MOST_FULL_STOPS ? stop : ''));
}

function comparedWords(text: string): string {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => DIGITS.get(word) ?? word);
  return words
    .filter((word) => !ARTICLES.has(word))
    .map((word) => COMPLETED.get(word) ?? word)
    .join(' ');
}
