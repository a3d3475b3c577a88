import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type as TypeBox } from 'typebox';
import { Type } from './schema.ts';

/** The same schema written with both. */
const written = (by: typeof Type) => ({
  object: by.Object({ a: by.Optional(by.String({ minLength: 1 })), b: by.Integer() }, { additionalProperties: false, description: 'd' }),
  allOptional: by.Object({ a: by.Optional(by.Number({ minimum: 1 })) }),
  array: by.Array(by.Boolean({ default: false }), { maxItems: 3 }),
  union: by.Union([by.Literal('x'), by.Literal(5), by.Literal(true), by.Null()], { description: 'u' }),
  record: by.Record(by.String(), by.Unknown(), { description: 'r' }),
  intersect: by.Intersect([by.Object({ a: by.String() }), by.Object({ b: by.Optional(by.Null({ description: 'n' })) })]),
  partial: by.Partial(by.Object({ a: by.String(), b: by.Array(by.String()) })),
  within: by.Object({ ...by.Partial(by.Object({ a: by.String() })).properties, b: by.Unknown({ description: 'q' }) }),
  unsafe: by.Unsafe<'a'>({ type: 'string', enum: ['a'] }),
});

test('a schema is the one that TypeBox makes, member by member and in their order', () => {
  assert.equal(JSON.stringify(written(Type)), JSON.stringify(written(TypeBox as typeof Type)));
});

test('nothing but JSON is in a schema, so that it can be copied and compared', () => {
  const { object } = written(Type);
  assert.deepEqual(structuredClone(object), object);
});
