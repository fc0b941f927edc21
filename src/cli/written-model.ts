/** Results of the commands that write models. */
import { gsvaCommand } from '../program.js';
import { notFiniteText } from '../io/weight-scan.js';
import { bytesText } from '../machine.js';
import type { WrittenModel } from '../workflows/convert.js';
import type { CommandContext } from './command.js';

/** Tensors that a warning names. */
const MOST_NAMED = 3;

/** @param facts for the JSON object @returns the exit code */
export function showWritten(model: WrittenModel, facts: object, { output, onNote }: CommandContext): number {
  const { out, tensors, bytes, peakRss, notFinite } = model;
  for (const tensor of notFinite.slice(0, MOST_NAMED)) onNote(`warning: ${notFiniteText(tensor)}`);
  if (notFinite.length > 0) {
    const all = notFinite.length > MOST_NAMED ? `, ${notFinite.length} tensors in all,` : '';
    onNote(
      `warning: these weights${all} are written as they are, and no answer of theirs is a number: look at them with ` +
        `${gsvaCommand(`inspect --stats ${out}`)}, and get another copy`,
    );
  }
  output.line(`${out}: ${tensors} tensors, ${bytesText(bytes)}`);
  output.json({ out, tensors, bytes, peakRss, ...(notFinite.length === 0 ? {} : { notFinite }), ...facts });
  return 0;
}
