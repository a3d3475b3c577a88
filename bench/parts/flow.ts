import assert from 'node:assert/strict';
import { call, givenTarget } from '../../tests/support/given.ts';
import type { LoadJob, LoadResult } from './load.ts';
import type { Program } from './program.ts';
import { startProgram } from './program.ts';
import type { ReceiverAnswer, ReceiverQuestion } from './receiver.ts';
import type { ThisServer } from './this-server.ts';

/** A receiver in a process of its own. */
export interface ReceiverProgram {
  readonly url: string;
  forget(): Promise<void>;
  /** Resolves when so many have come since the last `forget`, with when the last of them came; rejects when nothing comes any more. */
  waitFor(count: number): Promise<number>;
  arrivals(): Promise<readonly number[]>;
  stop(): Promise<void>;
}

const quietMs = 20_000;

export const startReceiverProgram = async (): Promise<ReceiverProgram> => {
  const program = await startProgram<{ url: string }>('receiver.ts');
  const ask = (question: ReceiverQuestion) => program.ask<ReceiverAnswer>(question);
  return {
    url: program.ready.url,
    async forget() {
      await ask({ ask: 'forget' });
    },
    async waitFor(count) {
      const { count: came, at } = await ask({ ask: 'wait', count, quietMs });
      assert.ok(came >= count, `only ${came} of ${count} deliveries came`);
      return at;
    },
    async arrivals() {
      return (await ask({ ask: 'arrivals' })).arrivals;
    },
    stop: program.stop,
  };
};

/** A paused GraphQL target; resolves with its id. */
export const givenPausedTarget = async (server: ThisServer, target: Readonly<Record<string, unknown>>): Promise<string> => {
  const { id } = await givenTarget(server, server.operatorToken, target);
  await setTarget(server, id, 'pause');
  return id;
};

export const setTarget = async (server: ThisServer, id: string, act: 'pause' | 'resume'): Promise<void> => {
  const { status, text } = await call(server, 'POST', `/v1/targets/${id}/${act}`, { token: server.operatorToken });
  assert.equal(status, 200, text);
};

/** Sends so many events as fast as they are taken and waits until they are fanned out. */
export const acceptEvents = async (
  server: ThisServer,
  load: Program<unknown>,
  job: Pick<LoadJob, 'runName' | 'connections' | 'eventsPerRequest'> & { readonly amount: number },
): Promise<LoadResult> => {
  const { amount: maxEvents, ...rest } = job;
  const result = await load.ask<LoadResult>({
    ...rest,
    url: server.url,
    token: server.sourceToken,
    seconds: 600,
    maxEvents,
  } satisfies LoadJob);
  assert.ok(result.events >= maxEvents, `${result.events} of ${maxEvents} events were taken`);
  await server.rest();
  return result;
};

/** Lets a paused target go on and measures until so many have arrived: seconds from the call to the arrival of the last of them. */
export const measureDrain = async (server: ThisServer, receiver: ReceiverProgram, targetId: string, amount: number): Promise<number> => {
  await receiver.forget();
  const startedAt = performance.timeOrigin + performance.now();
  await setTarget(server, targetId, 'resume');
  return ((await receiver.waitFor(amount)) - startedAt) / 1000;
};

/** How long the newest tries of a target took, as its deliveries tell. */
export const newestTries = async (server: ThisServer, targetId: string, pages: number): Promise<number[]> => {
  const times: number[] = [];
  let cursor = '';
  for (let page = 0; page < pages; page += 1) {
    const { body } = await call(server, 'GET', `/v1/deliveries?target=${targetId}&state=delivered&limit=200${cursor}`, {
      token: server.operatorToken,
    });
    for (const { attempts } of body.items) for (const { durationMs } of attempts) times.push(durationMs);
    if (body.nextCursor === undefined) break;
    cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`;
  }
  return times;
};
