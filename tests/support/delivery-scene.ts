import assert from 'node:assert/strict';
import { type Answer, call, eventually, givenOperator, givenService, givenTarget, type Json } from './given.ts';
import { type Received, type Receiver, type ReceiverOptions, startReceiver } from './receiver.ts';
import { type StartOptions, startServer, type TestServer } from './start-server.ts';

type Answering = NonNullable<ReceiverOptions['answer']>;

/** A target of a test's own: nothing but the events of its own type comes to it. */
export interface OwnTarget {
  readonly id: string;
  readonly name: string;
  /** The type that it wants, and the beginning of its events' ids. */
  readonly type: string;
  /** What the POST that made it answered. */
  readonly made: Json;
  /** What it was sent, in order. */
  received(): readonly Received[];
  answerWith(answer: Answering): void;
  /** Sends an event of its type; `id` is put behind the type. */
  send(id: string | number, fields?: Readonly<Record<string, unknown>>): Promise<void>;
  deliveries(query?: string): Promise<Json[]>;
  /** The delivery of the event that `send(id)` sent, as soon as it is in one of the states. */
  delivery(id: string | number, ...states: readonly string[]): Promise<Json>;
  patch(change: unknown): Promise<Answer>;
}

/** A server, a receiver that answers each path differently, and somebody who may do everything. */
export interface Scene {
  readonly server: TestServer;
  readonly operator: string;
  readonly sender: Awaited<ReturnType<typeof givenService>>;
  readonly receiver: Receiver;
  /** A webhook unless `fields` say otherwise; retries come quickly. */
  target(answer?: Answering, fields?: Readonly<Record<string, unknown>>): Promise<OwnTarget>;
  send(events: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** What became of an event: its state as soon as it is one of these. */
  event(id: string, ...states: readonly string[]): Promise<Json>;
  stop(): Promise<void>;
}

const contented: Answering = () => ({ body: { data: { processEvent: { id: '1' } } } });
const quickRetries = { attempts: 3, minDelayMs: 1, maxDelayMs: 10 };

export const startScene = async (options: StartOptions = {}): Promise<Scene> => {
  const answers = new Map<string, Answering>();
  const receiver = await startReceiver({ answer: (request) => (answers.get(request.path) ?? contented)(request) });
  const server = await startServer(options);
  const operator = await givenOperator(server);
  const sender = await givenService(server, operator, ['events:send', 'events:read', 'trace:read']);
  let count = 0;

  const ask = (method: string, path: string, body?: unknown) => call(server, method, path, { token: operator, body });
  const send = (events: unknown, headers = {}) => call(server, 'POST', '/v1/events', { token: sender.token, body: events, headers });

  return {
    server,
    operator,
    sender,
    receiver,
    send,
    call: ask,
    async event(id, ...states) {
      const { body } = await eventually(
        () => ask('GET', `/v1/events/${id}`),
        (answer) => states.includes(answer.body.state),
      );
      return body;
    },
    async target(answer = contented, { config, ...fields } = {}) {
      count += 1;
      const type = `type-${count}`;
      const path = `/${type}`;
      answers.set(path, answer);
      const url = `${receiver.url}${type}`;
      const made = await givenTarget(server, operator, {
        kind: 'webhook',
        types: [type],
        retry: quickRetries,
        ...fields,
        config: { url, ...(config as object | undefined) },
      });
      const deliveries = async (query = ''): Promise<Json[]> =>
        (await ask('GET', `/v1/deliveries?target=${made.id}&limit=200${query}`)).body.items;
      return {
        id: made.id,
        name: made.name,
        type,
        made,
        deliveries,
        received: () => receiver.received.filter((request) => request.path === path),
        answerWith: (next) => answers.set(path, next),
        patch: (change) => ask('PATCH', `/v1/targets/${made.id}`, change),
        async send(id, event = {}) {
          const { status, text } = await send({ id: `${type}-${id}`, name: type, ...event });
          assert.equal(status, 202, text);
        },
        async delivery(id, ...states) {
          const found = await eventually(
            async () => (await deliveries()).find(({ eventId }) => eventId === `${type}-${id}`),
            (one) => one !== undefined && states.includes(one.state),
          );
          return found;
        },
      };
    },
    async stop() {
      await server.stop();
      await receiver.stop();
    },
  };
};
