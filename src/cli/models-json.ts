/** A model in `gsva models --json`. Bytes are whole numbers, figures of tables percent. */
import { RELEASE } from '../checkpoints/catalogue/released-models.js';
import { packagedCommands } from './models-commands.js';
import { commandGroups } from './models-detail.js';
import { expectedFigures } from './models-figures.js';
import { convertedBytes, downloadBytes, fileRows, piecesOf, weightsBytes } from './models-files.js';
import type { ModelNeed } from './models-memory.js';
import type { PackagedReport, ReleasedReport } from './models-report.js';

export function jsonOfReleased(report: ReleasedReport, dir: string): object {
  const { model, found, need } = report;
  const { backbone } = model;
  return {
    name: model.name,
    title: model.title,
    state: found.state,
    pass: found.state === 'complete',
    backbone: backbone.name,
    conversation: backbone.conversation,
    loraRank: backbone.loraRank,
    parameters: backbone.numbers.all,
    trained: backbone.numbers.trained,
    config: model.config,
    files: fileRows(model, found, dir).map(({ what, found: part, path, licence }) => ({
      what,
      state: part.state,
      path,
      fault: part.fault,
      licence,
    })),
    pieces: piecesOf(model).map(({ title, place, hub, url, source, bytes, bytesAre, sha256, licence }) => ({
      title,
      place,
      hub,
      url: url ?? null,
      source,
      bytes,
      bytesAre,
      sha256: sha256 ?? null,
      licence,
    })),
    weights: {
      file: `${model.name}.bin`,
      namedBy: model.named,
      folders: RELEASE.folders,
      bytes: null,
      bytesBetween: weightsBytes(model),
      licence: RELEASE.licence,
    },
    downloadBetween: downloadBytes(model),
    convertedBetween: convertedBytes(model),
    memory: memoryJson(need),
    published: expectedFigures(model),
    logged: model.logged,
    commands: commandGroups(report, dir),
  };
}

export function jsonOfPackaged({ model, found, need }: PackagedReport): object {
  return {
    name: model.name,
    title: model.title,
    state: found.state === 'there' ? 'complete' : found.state === 'missing' ? 'absent' : 'broken',
    pass: found.state === 'there',
    path: found.path,
    fault: found.fault,
    memory: need === null ? null : memoryJson(need),
    commands: [{ purpose: 'use it', lines: packagedCommands(model.name) }],
  };
}

function memoryJson({ engines, fits }: ModelNeed): object {
  return { fits, engines };
}
