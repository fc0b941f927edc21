/** Names of the Hugging Face hub (`owner/name`), looked up in its local cache; nothing is fetched. */
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../errors.js';

const HUB_NAME = /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/;

/** A path as it is, or the cached snapshot of a hub name. @param what for errors @throws UserError on how to get it */
export function resolveHubName(path: string, what: string, env: NodeJS.ProcessEnv = process.env): string {
  if (existsSync(path) || !HUB_NAME.test(path)) return path;
  const snapshot = cachedSnapshot(path, env);
  if (snapshot !== null) return snapshot;
  throw new UserError(
    `Looking for ${what}: there is no folder ${path}, and the Hugging Face cache (${hubCache(env)}) has no ${path}. ` +
      `Download it with \`hf download ${path}\`, or give the path of its folder.`,
  );
}

/** Where the hub's programs keep what they download, by the variables that they go by. */
function hubCache(env: NodeJS.ProcessEnv): string {
  const [direct, home] = [env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? '', env.HF_HOME ?? ''];
  if (direct !== '') return direct;
  if (home !== '') return join(home, 'hub');
  const xdg = env.XDG_CACHE_HOME ?? '';
  return join(xdg === '' ? join(homedir(), '.cache') : xdg, 'huggingface', 'hub');
}

/**
 * Folder of a name's cached snapshot, the one that refs/main names, else the newest; null where there is none.
 * @param name of the hub, `owner/name`
 */
export function cachedSnapshot(name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const folder = join(hubCache(env), `models--${name.replace('/', '--')}`);
  const snapshots = join(folder, 'snapshots');
  if (!existsSync(snapshots)) return null;
  const main = join(folder, 'refs', 'main');
  const named = existsSync(main) ? readFileSync(main, 'utf8').trim() : '';
  // A commit's name, not a path.
  if (/^[0-9a-f]{7,64}$/.test(named) && existsSync(join(snapshots, named))) return join(snapshots, named);
  const paths = readdirSync(snapshots).map((snapshot) => join(snapshots, snapshot));
  return paths.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0] ?? null;
}
