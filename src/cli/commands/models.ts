/** `gsva models`: which models there are, what each needs, and what of it is on this machine. */
import { defineCommand } from '../command.js';
import { option } from '../options/option.js';
import { requireFolder, TEXT, textAs } from '../options/values.js';

/** '24GiB' → bytes. */
const MEMORY = textAs('takes a number and MB, GB, TB, MiB, GiB or TiB, such as 24GiB', (text) => {
  const [, number, unit = '', binary] = /^(\d+(?:\.\d+)?)\s*([mgt])(i?)b$/i.exec(text) ?? [];
  const bytes = Number(number) * (binary === '' ? 1000 : 1024) ** ('mgt'.indexOf(unit.toLowerCase()) + 2);
  return bytes > 0 ? bytes : undefined;
});

export const command = defineCommand({
  positionals: { name: option('One model, with the commands to get and use it', TEXT) },
  options: {
    dir: option('Folder of the published files and of converted models (default: checkpoints)', TEXT),
    memory: option('Report what fits into this much, such as 24GiB (default: what this machine has available)', MEMORY),
  },
  examples: {
    'gsva models': 'the released models and those of this package',
    'gsva models --memory 24GiB': 'which of them another machine could hold',
    'gsva models gsva-7b-pt --dir checkpoints': 'one: files, memory, commands; exit code 1 where it is absent',
    'gsva models --json': 'for a program to read',
  },
  async run({ name, dir, memory }, context) {
    if (dir !== undefined) requireFolder('--dir', dir);
    const { showModels } = await import('../model-list.js');
    return showModels(name, dir ?? 'checkpoints', memory, context);
  },
});
