/** JSON schemas for editors, made of the zod schemas that files are read by (configs/schema, docs/configuration.md). */
import { z } from 'zod';

type Json = Record<string, unknown>;

interface EditorSchemaOptions {
  readonly title: string;
  /** The file may extend another: it may lack any key, and null takes back what the other says. */
  readonly isPartial: boolean;
}

export function editorSchema(schema: z.ZodType, { title, isPartial }: EditorSchemaOptions): Json {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // Bounds of every whole number, which say nothing.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (isPartial) makePartial(jsonSchema);
    },
  });
  return { $schema: json.$schema, title, ...json };
}

function makePartial(json: Json): void {
  delete json['required'];
  // Without "kind" several of the alternatives may fit.
  if (json['oneOf'] !== undefined) json['anyOf'] = json['oneOf'];
  delete json['oneOf'];
  const properties = (json['properties'] ?? {}) as Record<string, Json>;
  for (const [key, value] of Object.entries(properties)) properties[key] = orNull(value);
}

function orNull({ description, ...rest }: Json): Json {
  const isNullable = JSON.stringify(rest['type'] ?? rest['anyOf'] ?? '').includes('"null"');
  const alternatives = (rest['anyOf'] as Json[] | undefined) ?? [rest];
  const nullable = isNullable ? rest : { anyOf: [...alternatives, { type: 'null' }] };
  return { ...(description === undefined ? {} : { description }), ...nullable };
}
