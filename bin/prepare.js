/**
 * Brings the dependencies (npm ci) and the build (tsc) up to date before `npm run demo`, `npm test` and `npm pack`; takes
 * a few hundredths of a second when they are.
 *
 *     node bin/prepare.js            dependencies and build; npm runs it as `prepack`
 *     node bin/prepare.js --build    the build alone; npm runs it as `prepare`: after `npm ci` and `npm install` here, and
 *                                    in the clone that it makes for `npm install git+file://…`, before that is packed
 *
 * Plain Node without dependencies, in syntax that old versions can read, so that they too get the message about
 * versions. Dependencies count as up to date when what npm recorded in node_modules is what package-lock.json asks
 * for; the build when the digest of its sources is the one stored after the last successful build. Both records are
 * written last, so that an interrupted run is repeated. Two runs at once wait for each other.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const NODE_NEEDED = [20, 19];
const BUILD_CONFIGS = ['tsconfig.json', 'tsconfig.build.json'];
const BUILD_STAMP = 'dist/.source-digest';
const BUILD_RESULT = 'dist/cli/main.js';
/** Where the compiler writes every declaration; the public ones are copied from here. */
const ALL_TYPES = 'dist/.types';
const PUBLIC_TYPES = 'index.d.ts';
const WAIT_SECONDS = 900;
/** Set for the npm ci that this file runs, whose own `prepare` must not build (or wait for this process) in turn. */
const AT_WORK = 'GSVA_PREPARE_AT_WORK';
const COMPILER = 'node_modules/typescript/bin/tsc';

const inRoot = (path) => join(ROOT, path);

function say(line) {
  process.stderr.write(`prepare: ${line}\n`);
}

function fail(line) {
  say(line);
  process.exit(1);
}

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1])) return;
  fail(
    `this is Node ${process.versions.node}, but Node ${NODE_NEEDED.join('.')} or newer is needed; ` +
      'install it from https://nodejs.org (or with nvm: nvm install 20) and run the same command again',
  );
}

/** Key → package of a lock file; an empty object when the file is missing or unreadable. */
function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(inRoot(path), 'utf8')).packages || {};
  } catch {
    return {};
  }
}

/** Whether node_modules holds every package of package-lock.json (optional ones for other platforms may be absent). */
function dependenciesAreCurrent() {
  const installed = lockedPackages('node_modules/.package-lock.json');
  const wanted = lockedPackages('package-lock.json');
  return Object.keys(wanted).every((key) => {
    if (key === '') return true;
    const want = wanted[key];
    const have = installed[key];
    if (have === undefined) return Boolean(want.optional || want.devOptional);
    return have.version === want.version && have.integrity === want.integrity;
  });
}

function installDependencies() {
  say('installing the dependencies (npm ci, usually less than a minute) ...');
  const npmArgs = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error', '--dry-run=false'];
  const viaNode = process.env.npm_execpath && /npm-cli\.c?js$/.test(process.env.npm_execpath);
  const command = viaNode ? process.execPath : 'npm';
  const result = spawnSync(command, viaNode ? [process.env.npm_execpath].concat(npmArgs) : npmArgs, {
    cwd: ROOT,
    env: Object.assign({}, process.env, { [AT_WORK]: '1' }),
    encoding: 'utf8',
    shell: !viaNode && process.platform === 'win32',
    maxBuffer: 1 << 26,
  });
  if (result.error) {
    fail(`could not start npm (${result.error.message}); install npm, which comes with Node, and run this again`);
  }
  if (result.status !== 0) {
    process.stderr.write(firstLines(`${result.stderr}${result.stdout}`, 20));
    fail(
      `npm ci failed (${result.signal || `exit code ${result.status}`}), its output is above. Check that ` +
        'registry.npmjs.org can be reached (behind a proxy: npm config set proxy URL), that the disk is not full, ' +
        'and that package.json and package-lock.json belong together; then run the same command again',
    );
  }
}

/** Both npm and tsc print the error first and their usage last. */
function firstLines(text, count) {
  return `${text.trimEnd().split('\n').slice(0, count).join('\n')}\n`;
}

/** Every file below a folder, in a fixed order, as paths relative to the root. */
function filesBelow(folder) {
  const files = [];
  const entries = readdirSync(inRoot(folder), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) files.push(...filesBelow(path));
    else if (entry.isFile()) files.push(path);
  }
  return files;
}

/** Digest of all that the build reads: sources, compiler settings, and the versions of the dependencies. */
function sourceDigest() {
  const hash = createHash('sha256');
  for (const path of BUILD_CONFIGS.concat('package-lock.json', filesBelow('src'))) {
    const content = readFileSync(inRoot(path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function buildIsCurrent(digest) {
  if (!existsSync(inRoot(BUILD_STAMP)) || !existsSync(inRoot(BUILD_RESULT))) return false;
  return readFileSync(inRoot(BUILD_STAMP), 'utf8').trim() === digest;
}

function build(digest) {
  say('building (tsc) ...');
  // Without its results the compiler's own record of what it has written is worth nothing.
  const isWritten = existsSync(inRoot(BUILD_RESULT)) && existsSync(inRoot(`${ALL_TYPES}/${PUBLIC_TYPES}`));
  if (!isWritten) rmSync(inRoot('dist/.tsbuildinfo'), { force: true });
  rmSync(inRoot(BUILD_STAMP), { force: true });
  const command = [inRoot(COMPILER), '-p', 'tsconfig.build.json'];
  const result = spawnSync(process.execPath, command, { cwd: ROOT, encoding: 'utf8' });
  if (result.status !== 0) {
    process.stderr.write(firstLines(`${result.stderr}${result.stdout}`, 20));
    fail('the build failed, the errors are above; correct the sources (or take an unchanged copy) and run this again');
  }
  mkdirSync(inRoot('dist'), { recursive: true });
  removeLeftovers();
  copyPublicTypes();
  writeFileSync(inRoot(BUILD_STAMP), `${digest}\n`);
}

/** Results of sources that are gone: the compiler leaves them, and they would be packed. */
function removeLeftovers() {
  for (const path of filesBelow('dist')) {
    const module = /^dist\/(?:\.types\/)?(.+?)(?:\.js|\.d\.ts)(?:\.map)?$/.exec(path);
    const isLeft = module !== null && !existsSync(inRoot(`src/${module[1]}.ts`));
    const isOldType = path.endsWith('.d.ts') && !path.startsWith(ALL_TYPES);
    if (isLeft || isOldType || path.endsWith('.map')) rmSync(inRoot(path));
  }
}

/** The declarations that a program with this package compiles against: those that dist/index.d.ts leads to. */
function copyPublicTypes() {
  const wanted = existsSync(inRoot(`${ALL_TYPES}/${PUBLIC_TYPES}`)) ? [PUBLIC_TYPES] : [];
  // The list grows while it is walked.
  for (const path of wanted) {
    const text = readFileSync(inRoot(`${ALL_TYPES}/${path}`), 'utf8');
    mkdirSync(dirname(inRoot(`dist/${path}`)), { recursive: true });
    writeFileSync(inRoot(`dist/${path}`), text);
    for (const [, name] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)\.js['"]/g)) {
      const next = `${posix.join(posix.dirname(path), name)}.d.ts`;
      if (!wanted.includes(next)) wanted.push(next);
    }
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The process that holds the lock; 0 while it is about to sign it, null when there is no lock any more. */
function lockHolder(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return null;
  }
}

function sleep(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Runs `work` while no other prepare of this checkout does; a lock left by a process that is gone is taken over. */
function alone(work) {
  const lock = join(tmpdir(), `gsva-prepare-${createHash('sha256').update(ROOT).digest('hex').slice(0, 16)}`);
  for (let waited = 0; ; waited += 0.25) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`could not write ${lock}: ${error.message}`);
    }
    const holder = lockHolder(lock);
    if (holder === null) continue; // released in between
    if (holder > 0 && !isRunning(holder)) {
      rmSync(lock, { force: true });
      continue;
    }
    if (waited === 0) say('waiting for another run that prepares this folder ...');
    if (waited > WAIT_SECONDS) fail(`another run seems to hang; if none is at work, remove ${lock} and run this again`);
    sleep(250);
  }
  process.on('exit', () => rmSync(lock, { force: true }));
  work();
}

/** Of `npm ci --omit=dev` there is no compiler; the build that is here, if one is, stays as it is. */
function buildIfPossible() {
  const digest = sourceDigest();
  if (buildIsCurrent(digest)) return;
  if (existsSync(inRoot(COMPILER))) build(digest);
  else say(`not built: ${COMPILER} is missing (dependencies for development were left out); npm run build needs it`);
}

function prepareAll() {
  if (!dependenciesAreCurrent()) installDependencies();
  const digest = sourceDigest();
  if (!buildIsCurrent(digest)) build(digest);
}

const buildOnly = process.argv.includes('--build');
if (!(buildOnly && process.env[AT_WORK])) {
  checkNodeVersion();
  if (!existsSync(inRoot('package-lock.json'))) fail(`package-lock.json is missing in ${ROOT}; take a complete copy`);
  if (buildOnly) alone(buildIfPossible);
  else if (!dependenciesAreCurrent() || !buildIsCurrent(sourceDigest())) alone(prepareAll);
}
