import { Type } from '../../foundation/schema.ts';
import { maxEventsInArray } from './event-body.ts';

const text = { minLength: 1, maxLength: 255 };

const eventExample = { id: 'order-17', name: 'order.created', body: { total: 12.5 }, timestamp: '2026-11-02T09:00:00.000Z' };

const EventIn = Type.Object(
  {
    id: Type.String({ ...text, description: "The source's own id; sent again it changes nothing." }),
    name: Type.Optional(Type.String({ ...text, description: 'What happened. Required where there is no `type`.' })),
    type: Type.Optional(Type.String({ ...text, description: 'What it is routed by; else the `name` is.' })),
    key: Type.Optional(
      Type.String({ ...text, description: 'The ordering key: targets that want order get the events of a key one after the other.' }),
    ),
    timestamp: Type.Optional(Type.String({ format: 'date-time', description: 'When it happened; by default when it was received.' })),
    body: Type.Optional(Type.Unknown({ description: 'Any JSON.' })),
    data: Type.Optional(Type.Unknown({ description: 'Any JSON.' })),
  },
  {
    additionalProperties: true,
    description: 'Further fields are kept and handed on as they came. Numbers and text come out exactly as they went in.',
    examples: [eventExample],
  },
);

export const EventsIn = Type.Union([EventIn, Type.Array(EventIn, { minItems: 1, maxItems: maxEventsInArray })], {
  examples: [eventExample],
});

export const CloudEventIn = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: Type.String(text),
    source: Type.String(text),
    type: Type.String(text),
    time: Type.Optional(Type.String({ format: 'date-time' })),
    partitionkey: Type.Optional(Type.String({ ...text, description: 'The ordering key.' })),
    datacontenttype: Type.Optional(Type.String()),
    data: Type.Optional(Type.Unknown()),
    data_base64: Type.Optional(Type.String()),
  },
  {
    additionalProperties: true,
    examples: [{ specversion: '1.0', id: '17', source: '/shop', type: 'order.created', data: { total: 12.5 } }],
  },
);

const ReceiptItem = Type.Object({
  id: Type.String(),
  status: Type.Literal('accepted'),
  duplicate: Type.Boolean({ description: 'It was here before; nothing changed.' }),
  receivedAt: Type.String({ format: 'date-time', description: 'When it came for the first time.' }),
});

export const Receipt = Type.Union(
  [
    ReceiptItem,
    Type.Object({
      accepted: Type.Integer({ description: 'How many of them are new.' }),
      duplicates: Type.Integer({ description: 'How many of them were here before.' }),
      items: Type.Optional(Type.Array(ReceiptItem, { description: 'In the order of the array; not for NDJSON.' })),
    }),
  ],
  {
    description: 'All of it is durable.',
    examples: [
      { id: 'order-17', status: 'accepted', duplicate: false, receivedAt: '2026-11-02T09:00:00.000Z' },
      {
        accepted: 1,
        duplicates: 0,
        items: [{ id: 'order-17', status: 'accepted', duplicate: false, receivedAt: '2026-11-02T09:00:00.000Z' }],
      },
    ],
  },
);

export const eventStates = ['accepted', 'waiting', 'delivered', 'dead', 'no-target'] as const;

const State = Type.Unsafe<(typeof eventStates)[number]>({
  type: 'string',
  enum: [...eventStates],
  description:
    '`accepted`: not fanned out yet; `waiting`: some delivery is still open; `delivered`: all are; `dead`: some ended dead or parked; `no-target`: nobody wants it.',
});

export const EventOut = Type.Object(
  {
    id: Type.String(),
    sender: Type.String({ description: 'Who sent it.' }),
    source: Type.String({ description: 'The CloudEvents `source`, else the sender.' }),
    receivedAt: Type.String({ format: 'date-time' }),
    state: State,
    deliveries: Type.Array(Type.Object({ id: Type.String(), target: Type.String(), state: Type.String() })),
  },
  { additionalProperties: true, description: 'What was sent, and what became of it.' },
);

export const eventFilter = {
  state: Type.Optional(State),
  type: Type.Optional(Type.String(text)),
  source: Type.Optional(Type.String(text)),
  sender: Type.Optional(Type.String(text)),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'Received at this time or later.' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Received before this time.' })),
  q: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Searches id, type and body text.' })),
};
