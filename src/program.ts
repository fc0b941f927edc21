/**
 * Where this package is, and how its program is started from where the user is: what a message advises to run is to
 * work when it is copied. Every command in a message comes from `gsvaCommand` (test/architecture/commands.test.ts).
 */
import { existsSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gsvaCommand, nameProgram } from './command-name.js';

export { gsvaCommand };

const ROOT = resolve(fileURLToPath(new URL('..', import.meta.url)));
/** Folders of the package that commands and configurations name, as they are written in the documentation. */
const NAMED_FOLDERS = ['configs', 'checkpoints', 'data/samples'];
const MODULES = 'node_modules';

/** Facts that decide how the program is started. */
export interface ProgramPlace {
  /** Folder of this package, without symbolic links. */
  readonly root: string;
  /** process.argv[1]: the script that runs, as it was named; symbolic links are kept. */
  readonly script: string | undefined;
  readonly cwd: string;
  /** The environment's PATH. */
  readonly path: string | undefined;
}

/** Absolute path of a file or folder that comes with the package (configs, checkpoints), wherever it is run from. */
export function packagePath(...parts: string[]): string {
  return resolve(ROOT, ...parts);
}

/**
 * A path as a user writes it. Where nothing is there from the current folder, `configs/…`, `checkpoints/…` and
 * `data/samples/…` are those of the package, so that the documentation's commands work from any folder.
 */
export function packagedPath(path: string): string {
  if (path === '' || isAbsolute(path) || existsSync(path)) return path;
  const [inside, found] = [relative(ROOT, packagePath(path)).split(sep).join('/'), packagePath(path)];
  const isNamed = NAMED_FOLDERS.some((folder) => inside === folder || inside.startsWith(`${folder}/`));
  return isNamed && existsSync(found) ? found : path;
}

/** The words that start the program from `cwd`: `gsva`, `npx gsva` or `node bin/gsva.js`. */
export function programName(place: ProgramPlace): string {
  const { script, cwd, path } = place;
  if (script !== undefined && basename(script) === 'gsva' && !script.split(sep).includes(MODULES)) {
    // A link that npm install --global or npm link has made.
    if ((path ?? '').split(delimiter).includes(dirname(script))) return 'gsva';
  }
  return projects(place).some((project) => isInside(cwd, project)) ? 'npx gsva' : directProgram(place);
}

/** The same without npx, which hands signals and ranks of mpirun on in its own way: `node node_modules/gsva/bin/gsva.js`. */
export function directProgram({ root, cwd }: ProgramPlace): string {
  const file = join(root, 'bin', 'gsva.js');
  const shown = isInside(file, cwd) ? relative(cwd, file) : file;
  return `node ${/^[\w./\\:@+-]+$/.test(shown) ? shown : JSON.stringify(shown)}`;
}

/** The lines of an example: "gsva train …" or "mpirun -np 8 gsva train …" as commands that work here. */
export function runnable(example: string): string {
  return example
    .replace(/^gsva(?= |$)/, () => programName(here()))
    .replace(/(?<=^mpirun .*)\bgsva(?= )/, () => directProgram(here()));
}

/** The command that repairs broken or missing dependencies. */
export function reinstallCommand(place: ProgramPlace = here()): string {
  if (place.root.split(sep).includes(MODULES)) return 'npm install --force';
  return place.cwd === place.root ? 'npm ci' : `npm ci --prefix ${place.root}`;
}

function here(): ProgramPlace {
  return { root: ROOT, script: process.argv[1], cwd: process.cwd(), path: process.env['PATH'] };
}

/** Folders whose node_modules hold the package, or a link to it that was started. */
function projects({ root, script = '' }: ProgramPlace): string[] {
  const isLink = basename(script) === 'gsva' && basename(dirname(script)) === '.bin';
  return [root, ...(isLink ? [script] : [])].flatMap((path) => {
    const parts = path.split(sep);
    const at = parts.indexOf(MODULES);
    return at < 1 ? [] : [parts.slice(0, at).join(sep)];
  });
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way));
}

nameProgram(() => programName(here()));
