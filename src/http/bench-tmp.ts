import fastify from 'fastify';
import { Type } from 'typebox';
import { createClock } from '../foundation/clock.ts';
import { createIds } from '../foundation/ids.ts';
import { silentLog } from '../foundation/log.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { refusals } from './problem-reply.ts';
import { createServer } from './server.ts';

const clock = createClock();
const Body = Type.Object(
  { id: Type.String(), name: Type.String(), body: Type.Unknown(), timestamp: Type.Optional(Type.String()) },
  { additionalProperties: false },
);
const Out = Type.Object({ id: Type.String(), status: Type.String(), duplicate: Type.Boolean(), receivedAt: Type.String() });
const answer = (id: string) => ({ id, status: 'accepted', duplicate: false, receivedAt: '2026-11-05T12:00:00.000Z' });
if (process.argv[2] === 'bare') {
  const app = fastify();
  app.post<{ Body: { id: string } }>('/v1/events', { schema: { body: Body, response: { 202: Out } } }, async (request, reply) =>
    reply.code(202).send(answer(request.body.id)),
  );
  await app.listen({ port: Number(process.argv[3]), host: '127.0.0.1' });
} else {
  const caller = Promise.resolve({
    id: 'svc_1',
    kind: 'service' as const,
    tenantId: 't',
    sessionId: 's',
    scopes: new Set(['events:send' as const]),
  });
  const app = createServer({
    log: silentLog,
    clock,
    ids: createIds(() => clock.now()),
    authenticate: () => caller,
    idempotency: { begin: async () => ({ state: 'new' }), finish: async () => {}, release: async () => {} },
    corsOrigins: [],
    trustedProxies: [],
    version: '0.1.0',
    checks: {},
    isStopping: () => false,
    metrics: createMetrics(),
  });
  app.register(
    async (a) => {
      a.post(
        '/',
        { config: { access: 'events:send' }, schema: { summary: 'x', body: Body, response: { 202: Out, ...refusals(409) } } },
        async (request, reply) => reply.code(202).send(answer((request.body as { id: string }).id)),
      );
    },
    { prefix: '/v1/events' },
  );
  await app.listen({ port: Number(process.argv[3]), host: '127.0.0.1' });
}
process.on('SIGUSR2', () => {
  start = process.cpuUsage();
});
let start = process.cpuUsage();
process.on('SIGTERM', () => {
  const u = process.cpuUsage(start);
  console.log('cpu', Math.round((u.user + u.system) / 1000));
  process.exit(0);
});
