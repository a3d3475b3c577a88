import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { callerOf, refusalOfAccount } from '../../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import { originOf } from '../sessions/session-routes.ts';
import type { Devices } from './devices.ts';
import type { Pairings } from './pairings.ts';

const printable = '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}]*$';

const DeviceIdIn = Type.String({ minLength: 1, maxLength: 128, pattern: printable, description: 'The id that the device gave itself.' });

const WhenSignedIn = Type.Object(
  { deviceId: DeviceIdIn, name: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: printable })) },
  { additionalProperties: false, title: 'By who is signed in' },
);

const WhenNotSignedIn = Type.Object(
  { username: Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }), deviceId: DeviceIdIn },
  { additionalProperties: false, title: 'By mail' },
);

const PairingIn = Type.Union([WhenSignedIn, WhenNotSignedIn], {
  examples: [
    { deviceId: 'phone-of-ada', name: "Ada's phone" },
    { username: 'ada', deviceId: 'phone-of-ada' },
  ],
});

const PinOut = Type.Object(
  {
    pin: Type.String({ description: 'Four digits; shown here and never again.' }),
    expiresAt: Type.String({ format: 'date-time' }),
  },
  { examples: [{ pin: '0042', expiresAt: '2026-11-02T09:05:00.000Z' }] },
);

const DeviceOut = Type.Object(
  {
    id: Type.String(),
    deviceId: Type.String({ description: 'The id that the device gave itself.' }),
    name: Type.Optional(Type.String()),
    createdAt: Type.String({ format: 'date-time', description: 'When it was paired.' }),
    lastUsedAt: Type.String({ format: 'date-time', description: 'When it last signed in or refreshed its session.' }),
  },
  {
    examples: [
      {
        id: 'dev_01k8t3w0e5f6g7h8j9kamn0pqr',
        deviceId: 'phone-of-ada',
        name: "Ada's phone",
        createdAt: '2026-11-02T09:01:00.000Z',
        lastUsedAt: '2026-11-02T09:16:00.000Z',
      },
    ],
  },
);

/** Sent by `send(undefined)`: a null would become the text `null`. */
const NoBody = Type.Unsafe<undefined>({ type: 'null' });

export const deviceRoutes =
  ({ devices, pairings }: { devices: Devices; pairings: Pick<Pairings, 'show' | 'mail'> }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/pairings',
      {
        config: { access: 'optional', isIdempotent: true, showsSecret: (answer) => answer.includes('"pin"') },
        schema: {
          summary: 'Make a PIN that pairs a device',
          description: [
            'Who is signed in is shown the PIN; else it is mailed to the account, and the answer is the same whether there is one.',
            'The device trades it by `POST /v1/sessions`. The newest PIN of a device id counts. Five wrong ones void it and lock that',
            'device id for a while, also for PINs that are made meanwhile.',
          ].join(' '),
          body: PairingIn,
          response: { 201: PinOut, 202: NoBody, ...refusals('not-signed-in', 'not-allowed', 'too-many') },
        },
      },
      async (request, reply) => {
        const { body, caller } = request;
        if (caller !== undefined) {
          const refusal = refusalOfAccount(caller);
          if (refusal) throw refusal;
          if ('username' in body) throw mailedToOthers();
          return reply.code(201).send(await pairings.show(caller, body));
        }
        if (!('username' in body))
          throw new Problem('not-signed-in', 'Sign in to be shown a PIN, or name an account that it is mailed to.');
        await pairings.mail(body, originOf(request), (decision) => limitReply(reply, decision));
        return reply.code(202).send(undefined);
      },
    );

    app.get(
      '/',
      {
        config: { access: 'person' },
        schema: {
          summary: 'List your paired devices',
          querystring: Type.Object(listQuery),
          response: { 200: pageOf(DeviceOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => sendPage(request, reply, await devices.list(callerOf(request), request.query)),
    );

    app.delete(
      '/:id',
      {
        config: { access: 'person' },
        schema: {
          summary: 'Unpair a device',
          description: 'Ends its sessions at once.',
          params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
          response: { 204: Type.Null(), ...refusals('not-found') },
        },
      },
      async (request, reply) => {
        await devices.unpair(callerOf(request), request.params.id, originOf(request));
        return reply.code(204).send(null);
      },
    );
  };

const mailedToOthers = (): Problem =>
  new Problem('bad-body', 'Who is signed in names no account: the PIN is for its own.', {
    errors: [{ in: 'body', at: '/username', why: 'is not known here' }],
  });
