import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Clock } from '../foundation/clock.ts';
import type { Log } from '../foundation/log.ts';
import { Type } from '../foundation/schema.ts';

/** What the server depends on. Each resolves when its dependency works, and rejects or hangs when it does not. */
export type Checks = Readonly<Record<string, () => Promise<void>>>;

const timeLimitMs = 1000;

const Dependency = Type.Object({
  state: Type.Union([Type.Literal('up'), Type.Literal('down')]),
  latencyMs: Type.Number({ description: 'How long it took to answer.', examples: [0.4] }),
  error: Type.Optional(Type.String({ description: 'Why it is down.', examples: ['did not answer within 1 s'] })),
});

const ReadinessOut = Type.Object(
  {
    state: Type.Union([Type.Literal('ready'), Type.Literal('not-ready'), Type.Literal('stopping')]),
    dependencies: Type.Record(Type.String(), Dependency),
  },
  { examples: [{ state: 'ready', dependencies: { database: { state: 'up', latencyMs: 0.4 } } }] },
);

type DependencyState = { state: 'up'; latencyMs: number } | { state: 'down'; latencyMs: number; error: string };

/** The first line of an error, without the user name and password of any address in it. */
const shownError = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n', 1)[0] ?? '').replaceAll(/\/\/[^\s/@]*@/g, '//').slice(0, 200);
};

/** Asks one dependency, for a second at most: a check that hangs is a dependency that is down. */
const ask = async (check: () => Promise<void>, clock: Clock): Promise<DependencyState> => {
  const started = performance.now();
  const latencyMs = () => Math.round((performance.now() - started) * 100) / 100;
  const giveUp = new AbortController();
  const late = clock.sleep(timeLimitMs, giveUp.signal).then(() => {
    throw new Error(`did not answer within ${timeLimitMs / 1000} s`);
  });
  try {
    await Promise.race([check(), late]);
    return { state: 'up', latencyMs: latencyMs() };
  } catch (error) {
    return { state: 'down', latencyMs: latencyMs(), error: shownError(error) };
  } finally {
    late.catch(() => undefined);
    giveUp.abort();
  }
};

/** Alive, ready, which version: for supervisors and load balancers. */
export const healthRoutes = (needs: {
  checks: Checks;
  clock: Clock;
  log: Log;
  isStopping: () => boolean;
  version: string;
}): FastifyPluginAsyncTypebox => {
  const { checks, clock, log, isStopping, version } = needs;
  let running: Promise<Record<string, DependencyState>> | undefined;

  const askAll = async () => {
    const states = await Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await ask(check, clock)] as const));
    return Object.fromEntries(states);
  };

  /** Who asks while others are being answered gets the same answer: probes cannot be used to wear out a dependency. */
  const askOnce = () => {
    running ??= askAll().finally(() => {
      running = undefined;
    });
    return running;
  };

  return async (app) => {
    app.get(
      '/healthz',
      {
        config: { access: 'public', isProbe: true, takesAnyQuery: true },
        schema: {
          summary: 'Whether the process is alive',
          tags: ['operation'],
          response: { 200: Type.Object({ state: Type.Literal('alive') }) },
        },
      },
      async () => ({ state: 'alive' as const }),
    );

    app.get(
      '/readyz',
      {
        config: { access: 'public', isProbe: true, takesAnyQuery: true },
        schema: {
          summary: 'Whether it should get traffic',
          description: 'Asks each dependency, for a second at most. 503, with the same body, when one is down or the server is stopping.',
          tags: ['operation'],
          response: { 200: ReadinessOut, 503: ReadinessOut },
        },
      },
      async (_request, reply) => {
        const dependencies = await askOnce();
        const down = Object.entries(dependencies).filter(([, { state }]) => state === 'down');
        if (down.length > 0) log.warn({ down: Object.fromEntries(down) }, 'dependency.down');
        if (isStopping()) return reply.code(503).header('retry-after', '1').send({ state: 'stopping', dependencies });
        if (down.length > 0) return reply.code(503).header('retry-after', '1').send({ state: 'not-ready', dependencies });
        return reply.send({ state: 'ready', dependencies });
      },
    );

    app.get(
      '/v1/version',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Which version runs',
          tags: ['operation'],
          response: { 200: Type.Object({ name: Type.Literal('entrepot'), version: Type.String({ examples: ['1.2.3'] }) }) },
        },
      },
      async () => ({ name: 'entrepot' as const, version }),
    );
  };
};
