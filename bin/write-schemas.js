/** Writes the JSON schemas of configurations, configs/schema, as the built sources have them: npm run schema. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configSchemas } from '../dist/cli/config-schemas.js';

const folder = fileURLToPath(new URL('../configs/schema', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(configSchemas())) {
  writeFileSync(join(folder, name), `${JSON.stringify(schema, null, 2)}\n`);
}
