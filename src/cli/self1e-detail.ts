/** One published SELF1E in detail: base, sizes, published figures, and the commands that use it. */
import { diskText } from '../systems/catalogue/model-files.js';
import {
  self1eBaseFolder,
  self1eCommands,
  self1eFolder,
  SELF1E_RELEASE,
  type Self1eModel,
} from '../systems/catalogue/self1e-models.js';
import type { Output } from './output.js';

const BF16_BYTES = 2;

/** @returns exit code 1 where it is missing */
export function showSelf1eModel(model: Self1eModel, dir: string, output: Output): number {
  const { base, figures } = model;
  const { numbers } = base;
  const baseState = self1eBaseFolder(model, dir) === null ? 'absent' : 'there';
  output.line(`${output.colors.bold(model.name)}  ${self1eState(model, dir)}`);
  output.line(`${(numbers.all / 1e9).toFixed(2)} B parameters; about ${sizeText(numbers.all)} in bfloat16`);
  output.line(
    `made from ${base.name} (${(numbers.base / 1e9).toFixed(2)} B, about ${sizeText(numbers.base)}; ${baseState}), ` +
      self1eText(model),
  );
  output.line(
    `published at https://huggingface.co/${SELF1E_RELEASE.hub} and ${SELF1E_RELEASE.mirror} (${SELF1E_RELEASE.readme}); ` +
      'which models these hold is not published',
  );
  output.line();
  for (const [split, cIoU] of Object.entries(figures.cIoU)) {
    output.line(`published on ${split}: cIoU ${cIoU.toFixed(1)}`);
  }
  for (const [split, [gIoU, cIoU]] of Object.entries(figures.reasonSeg)) {
    output.line(`published on ReasonSeg ${split}: gIoU ${gIoU.toFixed(1)}, cIoU ${cIoU.toFixed(1)}`);
  }
  output.line();
  for (const line of self1eCommands(model, dir)) output.line(` ${line}`);
  output.json(self1eJson(model, dir));
  return self1eFolder(model, dir) === null ? 1 : 0;
}

export function self1eJson(model: Self1eModel, dir: string): object {
  const paths = { path: self1eFolder(model, dir), basePath: self1eBaseFolder(model, dir) };
  return { ...model, ...SELF1E_RELEASE, ...paths, commands: self1eCommands(model, dir) };
}

export function self1eState(model: Self1eModel, dir: string): string {
  return self1eFolder(model, dir) === null ? 'absent' : 'there';
}

export function self1eText({ rates }: Self1eModel): string {
  return `data repeated ${rates} times`;
}

function sizeText(numbers: number): string {
  return diskText(BF16_BYTES * numbers);
}
