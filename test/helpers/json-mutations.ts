/** JSON with a value somewhere in it replaced by another: what a file that somebody else wrote may hold. */
import fc from 'fast-check';

type Path = readonly (string | number)[];

/** Where there is a value, itself included. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [path, ...below.flatMap(([key, child]) => pathsOf(child, [...path, key]))];
}

function replaced(value: unknown, [first, ...rest]: Path, by: unknown): unknown {
  if (first === undefined) return by;
  const parent = value as Record<string | number, unknown>;
  parent[first] = replaced(parent[first], rest, by);
  return parent;
}

/** `whole`, as JSON.parse would give it, with a hostile value in one place. */
export function mutationsOf(whole: unknown): fc.Arbitrary<unknown> {
  const hostile = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.constantFrom<unknown>(1e308, -0, 2 ** 53, '__proto__', '\0', '9'.repeat(10_000), '../..', 'o'.repeat(1000)),
  );
  const key = fc.oneof(fc.constant(null), fc.constantFrom('__proto__', 'constructor', 'mask', 'toString', 'length'));
  return fc
    .tuple(fc.constantFrom(...pathsOf(whole)), hostile, key)
    .map(([place, value, name]) => replaced(structuredClone(whole), place, name === null ? value : { [name]: value }))
    .map((json) => JSON.parse(JSON.stringify(json)) as unknown);
}
