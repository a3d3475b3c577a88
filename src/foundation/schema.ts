import type { Type as TypeBoxType } from 'typebox';

// JSON Schemas written in TypeScript, with the types of TypeBox and its names. What TypeBox itself makes of them is the same, but it brings
// 370 modules for that, and 5 MiB which an idle server would hold for ever (docs/decisions/0017-schemas-without-their-library.md).

type Kinds =
  | ('Object' | 'String' | 'Integer' | 'Number' | 'Boolean' | 'Null' | 'Literal' | 'Unknown')
  | ('Array' | 'Union' | 'Intersect' | 'Record' | 'Partial' | 'Optional' | 'Unsafe');

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  /** A member that may be missing; no part of the schema itself. */
  readonly [optional]?: true;
}

const optional = Symbol('optional');

type Options = Readonly<Record<string, unknown>>;

const isNeeded = ([, schema]: [string, Schema]): boolean => schema[optional] !== true;

const objectOf = (properties: Readonly<Record<string, Schema>>, options?: Options) => {
  const required = Object.entries(properties)
    .filter(isNeeded)
    .map(([name]) => name);
  return { type: 'object', ...(required.length === 0 ? {} : { required }), properties, ...options };
};

const asOptional = (schema: Schema): Schema => Object.defineProperty({ ...schema }, optional, { value: true });

const builders: Record<Kinds, (...args: never[]) => object> = {
  Object: objectOf,
  String: (options?: Options) => ({ type: 'string', ...options }),
  Integer: (options?: Options) => ({ type: 'integer', ...options }),
  Number: (options?: Options) => ({ type: 'number', ...options }),
  Boolean: (options?: Options) => ({ type: 'boolean', ...options }),
  Null: (options?: Options) => ({ type: 'null', ...options }),
  Literal: (value: string | number | boolean, options?: Options) => ({ type: typeof value, const: value, ...options }),
  Unknown: (options?: Options) => ({ ...options }),
  Array: (items: Schema, options?: Options) => ({ type: 'array', items, ...options }),
  Union: (anyOf: readonly Schema[], options?: Options) => ({ anyOf, ...options }),
  Intersect: (allOf: readonly Schema[], options?: Options) => ({ allOf, ...options }),
  Record: (_key: Schema, value: Schema, options?: Options) => ({ type: 'object', patternProperties: { '^.*$': value }, ...options }),
  Partial: ({ properties = {} }: Schema) =>
    objectOf(Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, asOptional(schema)]))),
  Optional: asOptional,
  Unsafe: (schema: Schema) => ({ ...schema }),
};

/** Writes a schema; its TypeScript type is `Static<typeof schema>`. */
export const Type = builders as unknown as Pick<typeof TypeBoxType, Kinds>; // the same calls, the same schemas: tried one by one in the test
