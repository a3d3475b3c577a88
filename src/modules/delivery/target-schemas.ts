import type { TSchema } from 'typebox';
import { Type } from '../../foundation/schema.ts';
import { targetKinds } from './targets/all-targets.ts';

const duration = (description: string, minimum: number, maximum: number) => Type.Integer({ minimum, maximum, description });

const dayMs = 86_400_000;

export const RateSchema = Type.Object(
  { requests: Type.Integer({ minimum: 1, maximum: 100_000 }), intervalMs: Type.Integer({ minimum: 1, maximum: 31 * dayMs }) },
  {
    additionalProperties: false,
    description: 'At most so many requests in any window of this length, by all replicas together. None: unpaced.',
  },
);

const RetrySchema = Type.Object(
  {
    attempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'In all, the first one included.' })),
    minDelayMs: Type.Optional(duration('After the first failure; doubles with each, with full jitter.', 1, 30 * dayMs)),
    maxDelayMs: Type.Optional(duration('The longest delay.', 1, 30 * dayMs)),
  },
  { additionalProperties: false },
);

/** `*`, `**`, `order.*` or an exact type. */
const TypePattern = Type.String({ minLength: 1, maxLength: 255 });

const configs = Type.Union(Object.values(targetKinds).map(({ configSchema }) => configSchema) as [TSchema, ...TSchema[]]); // there is at least one kind

const settable = {
  types: Type.Array(TypePattern, {
    minItems: 1,
    maxItems: 100,
    description: '`*`: all that sources send; `**`: those and our own facts; `order.*`: a prefix; else an exact type.',
  }),
  enrich: Type.Record(Type.String(), Type.Unknown(), { description: 'Fields merged into each event.' }),
  transform: Type.String({
    minLength: 1,
    maxLength: 8_192,
    description:
      'A JSONata expression over the merged event; it must give an object. Numbers that JavaScript cannot hold pass through unchanged, but cannot be reckoned with.',
  }),
  rate: RateSchema,
  concurrency: Type.Integer({ minimum: 1, maximum: 256, description: 'How many requests may be under way at once.' }),
  retry: RetrySchema,
  ordering: Type.Unsafe<'none' | 'key'>({ type: 'string', enum: ['none', 'key'] }),
  onDead: Type.Unsafe<'skip' | 'park'>({
    type: 'string',
    enum: ['skip', 'park'],
    description: 'What happens to what follows a dead delivery of its key.',
  }),
  timeoutMs: duration('For a whole request.', 1, 10 * 60_000),
  state: Type.Unsafe<'active' | 'paused'>({ type: 'string', enum: ['active', 'paused'] }),
};

const name = Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });

const example = {
  name: 'crm',
  kind: 'graphql',
  types: ['order.*'],
  config: { url: 'https://crm.example.com/graphql' },
  enrich: { brand: 'testBrand' },
  rate: { requests: 1, intervalMs: 2000 },
};

export const NewTarget = Type.Object(
  {
    name,
    kind: Type.Unsafe<'graphql' | 'webhook'>({ type: 'string', enum: Object.keys(targetKinds) }),
    config: Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'Depends on the kind.' }),
    ...(Object.fromEntries(Object.entries(settable).map(([key, schema]) => [key, Type.Optional(schema)])) as {
      [Key in keyof typeof settable]: ReturnType<typeof Type.Optional<(typeof settable)[Key]>>;
    }), // the same keys
  },
  { additionalProperties: false, examples: [example] },
);

const removable = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

export const TargetChange = Type.Object(
  {
    name: Type.Optional(name),
    config: Type.Optional(Type.Unsafe<Record<string, unknown>>({ type: 'object' })),
    types: removable(settable.types),
    enrich: removable(settable.enrich),
    transform: removable(settable.transform),
    rate: removable(settable.rate),
    concurrency: removable(settable.concurrency),
    retry: removable(settable.retry),
    ordering: removable(settable.ordering),
    onDead: removable(settable.onDead),
    timeoutMs: removable(settable.timeoutMs),
    state: Type.Optional(settable.state),
  },
  {
    additionalProperties: false,
    description: 'JSON Merge Patch: null brings back the default.',
    examples: [{ rate: { requests: 5, intervalMs: 1000 } }],
  },
);

export const TargetOut = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    kind: Type.String(),
    types: Type.Array(Type.String()),
    config: Type.Unsafe<Record<string, unknown>>({ ...configs, description: 'Secrets are hidden, but for the one that was just made.' }),
    enrich: Type.Optional(settable.enrich),
    transform: Type.Optional(Type.String()),
    rate: Type.Optional(RateSchema),
    concurrency: Type.Integer(),
    retry: RetrySchema,
    ordering: settable.ordering,
    onDead: settable.onDead,
    timeoutMs: Type.Integer(),
    state: settable.state,
    reason: Type.Optional(Type.String({ description: 'Why it was paused, where it was not by hand.' })),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  },
  {
    examples: [
      {
        id: 'tgt_01k8t3w0e5f6g7h8j9kamn0pqr',
        ...example,
        concurrency: 8,
        retry: { attempts: 10, minDelayMs: 1000, maxDelayMs: 3_600_000 },
        ordering: 'none',
        onDead: 'skip',
        timeoutMs: 15_000,
        state: 'active',
        createdAt: '2026-11-02T09:00:00.000Z',
        updatedAt: '2026-11-02T09:00:00.000Z',
      },
    ],
  },
);
