import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, hasBearer } from '../../../http/access.ts';
import { refusals } from '../../../http/problem-reply.ts';
import type { Files } from '../files.ts';
import { readNotification } from './object-notification.ts';

const examples = [
  {
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        eventTime: '2026-11-25T12:00:00.000Z',
        eventName: 'ObjectCreated:Put',
        s3: { bucket: { name: 'media' }, object: { key: 'files/file_01k8t3w0e5f6g7h8j9kamn0pqr', size: 48_211 } },
      },
    ],
  },
];

/** What the store of the bytes has to say. */
export const hookRoutes =
  ({ directUploads, hookKeys }: Pick<Files, 'directUploads' | 'hookKeys'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    /** Before a byte of the body is read. */
    const guard = (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void) =>
      done(hasBearer(request.headers.authorization, hookKeys) ? undefined : noKey());

    app.post(
      '/object-created',
      {
        config: { access: 'public' },
        onRequest: guard,
        schema: {
          summary: 'Tell that bytes are in the store',
          description:
            'For the object store: its notification of created objects, as S3, EventBridge, MinIO and SeaweedFS send it, with one of `ENTREPOT_HOOK_KEYS` as ' +
            'bearer. A direct upload whose bytes are there is `stored`, or `rejected`; everything else changes nothing, also what comes late, twice or ' +
            'in another order.',
          tags: ['hooks'],
          body: Type.Unknown({ description: 'A notification.', examples }),
          response: { 204: Type.Null(), ...refusals('not-signed-in') },
        },
      },
      async (request, reply) => {
        const how = { requestId: request.id, address: addressOf(request) };
        const created = readNotification(request.body);
        for (const key of new Set(created.map((object) => object.key))) await directUploads.arrived(key, how);
        return reply.code(204).send(null);
      },
    );
  };

const noKey = () => new Problem('not-signed-in', 'This is for the store alone, which says one of the keys of the settings.');
