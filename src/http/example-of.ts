/** A JSON Schema, as far as an example can be made from it. */
export interface SchemaShape {
  readonly type?: unknown;
  readonly examples?: unknown;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: unknown;
  readonly anyOf?: unknown;
  readonly oneOf?: unknown;
  readonly allOf?: unknown;
  readonly properties?: unknown;
  readonly items?: unknown;
  readonly format?: unknown;
  readonly minimum?: unknown;
  readonly minLength?: unknown;
}

const textOfFormat: Readonly<Record<string, string>> = {
  'date-time': '2026-11-02T09:00:00.000Z',
  date: '2026-11-02',
  email: 'ada@example.com',
  uri: 'https://example.com/hook',
  uuid: '019a4330-5d48-7c3e-9f1b-2d6c4a8e0f11',
};

const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const isSchema = (value: unknown): value is SchemaShape => typeof value === 'object' && value !== null;

const textExample = ({ format, minLength }: SchemaShape): string => {
  const text = typeof format === 'string' ? (textOfFormat[format] ?? 'text') : 'text';
  return typeof minLength === 'number' ? text.padEnd(minLength, '.') : text;
};

const objectExample = (properties: unknown): Record<string, unknown> =>
  isSchema(properties) ? Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, exampleOf(schema)])) : {};

const valueOfType = (schema: SchemaShape): unknown => {
  const type = isList(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case 'string':
      return textExample(schema);
    case 'number':
    case 'integer':
      return typeof schema.minimum === 'number' ? schema.minimum : 1;
    case 'boolean':
      return true;
    case 'array':
      return isSchema(schema.items) && !isList(schema.items) ? [exampleOf(schema.items)] : [];
    case 'null':
      return null;
    case 'object':
      return objectExample(schema.properties);
    default:
      return {};
  }
};

/** A value that fits the schema: what its author gave as an example, else one made up from its parts. */
export const exampleOf = (schema: unknown): unknown => {
  if (!isSchema(schema)) return {};
  if (isList(schema.examples) && schema.examples.length > 0) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (isList(schema.enum)) return schema.enum[0];
  for (const branches of [schema.anyOf, schema.oneOf]) if (isList(branches)) return exampleOf(branches[0]);
  if (isList(schema.allOf)) return Object.assign({}, ...schema.allOf.map(exampleOf));
  return valueOfType(schema);
};
