/** LISA's published models for `gsva models`: a table of all, or one with its commands. */
import { lisaCommands, lisaFolder, type LisaModel, LISA_MODELS } from '../systems/catalogue/lisa-models.js';
import type { Output } from './output.js';

export function showLisaModels(dir: string, output: Output): void {
  output.line();
  output.table(
    ['LISA', 'state', 'base', ''],
    LISA_MODELS.map((model) => [model.name, stateOf(model, dir), model.base, model.note]),
    ['left', 'left', 'left', 'left'],
  );
}

/** @returns exit code 1 where it is missing */
export function showLisaModel(model: LisaModel, dir: string, output: Output): number {
  output.line(`${output.colors.bold(model.name)}  ${stateOf(model, dir)}`);
  const code = model.code === null ? 'the current published code' : `only commit ${model.code} of the published code`;
  output.line(`made from ${model.base}, read by ${code}; ${model.note}`);
  if (model.explains) output.line('trained with explanations');
  for (const [split, [gIoU, cIoU]] of Object.entries(model.figures)) {
    output.line(`published on ReasonSeg ${split}: gIoU ${gIoU.toFixed(1)}, cIoU ${cIoU.toFixed(1)}`);
  }
  output.line();
  for (const line of lisaCommands(model, dir)) output.line(` ${line}`);
  output.json(lisaJson(model, dir));
  return lisaFolder(model, dir) === null ? 1 : 0;
}

export function lisaJson(model: LisaModel, dir: string): object {
  return { ...model, path: lisaFolder(model, dir), commands: lisaCommands(model, dir) };
}

function stateOf(model: LisaModel, dir: string): string {
  return lisaFolder(model, dir) === null ? 'absent' : 'there';
}
