import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Receiver, type ReceiverOptions, startReceiver } from '../../../../tests/support/receiver.ts';
import { Problem } from '../../../foundation/problem.ts';
import { createOutbound, type Outbound, type OutboundRequest, type ResolveName } from './outbound-http.ts';

const loopback = ['127.0.0.0/8'];
const open: { stop(): Promise<unknown> }[] = [];
const receiverWith = async (answer?: ReceiverOptions['answer']): Promise<Receiver> => {
  const receiver = await startReceiver(answer === undefined ? {} : { answer });
  open.push(receiver);
  return receiver;
};
const outboundWith = (resolve?: ResolveName, allow: readonly string[] = loopback): Outbound => {
  const outbound = createOutbound(resolve === undefined ? { allow } : { allow, resolve });
  open.push({ stop: () => outbound.close() });
  return outbound;
};
const rejectWith =
  (code: string): ResolveName =>
  async () => {
    throw Object.assign(new Error(code), { code });
  };
/** A TCP server that accepts connections and does nothing with them: as far as TLS gets, there is no connection yet. */
const startMute = async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  open.push({ stop });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { port };
};
const requestTo = (url: string, more: Partial<OutboundRequest> = {}): OutboundRequest => ({
  url: new URL(url),
  headers: { 'content-type': 'application/json' },
  body: '{}',
  timeoutMs: 5000,
  ...more,
});
const kindOf = async (check: Promise<void>): Promise<string | undefined> => {
  try {
    await check;
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Problem, String(error));
    return error.kind;
  }
};

const stopAll = async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
};
afterEach(stopAll);
after(stopAll);

describe('the way out', () => {
  it('brings the request as it is and the answer back', async () => {
    const receiver = await receiverWith(() => ({ status: 201, headers: { 'x-thing': 'a' }, body: 'done' }));
    const reply = await outboundWith().request(requestTo(`${receiver.url}some/path?q=1`, { body: '{"text":"grüße","n":1.10}' }));
    assert.ok(reply.status !== undefined);
    assert.equal(reply.status, 201);
    assert.equal(reply.headers['x-thing'], 'a');
    assert.equal(reply.body.toString(), 'done');
    const [received] = receiver.received;
    assert.equal(received?.method, 'POST');
    assert.equal(received?.path, '/some/path?q=1');
    assert.equal(received?.body, '{"text":"grüße","n":1.10}');
  });

  it('keeps its connection for the requests that follow', async () => {
    const receiver = await receiverWith();
    const outbound = outboundWith();
    for (let count = 0; count < 20; count += 1) {
      await outbound.request(requestTo(receiver.url));
      await setImmediate(); // a connection is free again in the turn after its answer
    }
    assert.equal(receiver.received.length, 20);
    assert.equal(receiver.connections(), 1);
  });

  it('carries a hundred requests to one origin at the same time, each on a connection of its own', async () => {
    const waiting: (() => void)[] = [];
    const receiver = await receiverWith(async () => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return { body: 'done' };
    });
    const outbound = outboundWith();
    const replies = Promise.all(Array.from({ length: 100 }, () => outbound.request(requestTo(receiver.url))));
    await receiver.waitFor(100);
    for (const release of waiting) release();
    assert.ok((await replies).every(({ status }) => status === 200));
    assert.equal(receiver.connections(), 100);
  });

  it('follows no redirect', async () => {
    const receiver = await receiverWith(() => 'redirect');
    const reply = await outboundWith().request(requestTo(receiver.url));
    assert.equal(reply.status, 302);
    assert.equal(receiver.received.length, 1);
  });

  it('reads 64 KiB of an answer without end and lets go of the connection', async () => {
    const receiver = await receiverWith(() => 'flood');
    const outbound = outboundWith();
    const reply = await outbound.request(requestTo(receiver.url));
    assert.ok(reply.status !== undefined);
    assert.equal(reply.body.length, 64 * 1024);
    assert.match(reply.brokenOff ?? '', /larger than 64 KiB/);
    receiver.answerWith(() => ({ body: 'next' }));
    const next = await outbound.request(requestTo(receiver.url));
    assert.equal(next.status, 200);
    assert.notEqual(receiver.received[1]?.connection, receiver.received[0]?.connection);
  });

  it('gives up on a target that never answers when the time is over', async () => {
    const receiver = await receiverWith(() => 'hang');
    const reply = await outboundWith().request(requestTo(receiver.url, { timeoutMs: 100 }));
    assert.ok(reply.status === undefined);
    assert.match(reply.reason, /within 100 ms/);
  });

  it('gives up on an answer that never ends when the time is over, and keeps its status', async () => {
    const receiver = await receiverWith(() => 'drip');
    const reply = await outboundWith().request(requestTo(receiver.url, { timeoutMs: 300 }));
    assert.ok(reply.status !== undefined);
    assert.equal(reply.status, 200);
    assert.match(reply.brokenOff ?? '', /within 300 ms/);
  });

  it('makes a reset, half an answer and garbage a reason, and goes on', async () => {
    const receiver = await receiverWith();
    const outbound = outboundWith();
    receiver.answerWith(() => 'reset');
    const reset = await outbound.request(requestTo(receiver.url));
    assert.ok(reset.status === undefined);
    assert.match(reset.reason, /reset|closed/);
    receiver.answerWith(() => 'half');
    const half = await outbound.request(requestTo(receiver.url));
    assert.ok(half.status !== undefined);
    assert.match(half.brokenOff ?? '', /reset|closed|not as long/);
    receiver.answerWith(() => 'garbage');
    const garbage = await outbound.request(requestTo(receiver.url));
    assert.ok(garbage.status === undefined);
    assert.match(garbage.reason, /not HTTP/);
    receiver.answerWith(() => ({ body: 'well' }));
    assert.equal((await outbound.request(requestTo(receiver.url))).status, 200);
  });

  it('says when nobody listens and when a name does not resolve', async () => {
    const receiver = await receiverWith();
    await receiver.stop();
    const refused = await outboundWith().request(requestTo(receiver.url));
    assert.ok(refused.status === undefined);
    assert.match(refused.reason, /refused \(ECONNREFUSED\)/);
    const unresolved = await outboundWith(rejectWith('ENOTFOUND')).request(requestTo('http://no.such.name:8080/'));
    assert.ok(unresolved.status === undefined);
    assert.match(unresolved.reason, /The name no\.such\.name:8080 does not resolve \(ENOTFOUND\)/);
  });

  it('cuts a request off when the signal is given, before and after it is sent', async () => {
    const receiver = await receiverWith(() => 'hang');
    const stopping = new AbortController();
    const reply = outboundWith().request(requestTo(receiver.url, { signal: stopping.signal }));
    await receiver.waitFor(1);
    stopping.abort();
    assert.match(String(((await reply) as { reason: string }).reason), /cut off/);
    let isSent = false;
    const late = await outboundWith().request(requestTo(receiver.url, { signal: stopping.signal, onSent: () => (isSent = true) }));
    assert.equal(late.status, undefined);
    assert.equal(isSent, false);
    assert.equal(receiver.received.length, 1);
  });

  it('closes at once although targets hang, connect slowly or keep connections open', async () => {
    const hanging = await receiverWith(() => 'hang');
    const { port } = await startMute();
    const outbound = outboundWith();
    const pending = [outbound.request(requestTo(hanging.url)), outbound.request(requestTo(`https://127.0.0.1:${port}/`))];
    await hanging.waitFor(1);
    await outbound.close();
    for (const reply of await Promise.all(pending)) assert.match(String('reason' in reply && reply.reason), /stopping/);
    assert.equal((await outbound.request(requestTo(hanging.url))).status, undefined);
  });
});

describe('the moment of sending', () => {
  it('is told once for each request, when there is a connection', async () => {
    const receiver = await receiverWith();
    const outbound = outboundWith();
    let sent = 0;
    for (let count = 1; count <= 3; count += 1) {
      await outbound.request(requestTo(receiver.url, { onSent: () => (sent += 1) }));
      assert.equal(sent, count);
    }
  });

  it('does not come while the name is being resolved', async () => {
    const receiver = await receiverWith();
    const { port } = new URL(receiver.url);
    const order: string[] = [];
    const resolve: ResolveName = async () => {
      await new Promise((done) => setTimeout(done, 100));
      order.push('resolved');
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const reply = await outboundWith(resolve).request(requestTo(`http://slow.test:${port}/`, { onSent: () => order.push('sent') }));
    assert.equal(reply.status, 200);
    assert.deepEqual(order, ['resolved', 'sent']);
  });

  it('never comes where no connection comes about: TLS that does not start, a refused connection, an address that is not allowed', async () => {
    const { port } = await startMute();
    let sent = 0;
    const onSent = () => {
      sent += 1;
    };
    const outbound = outboundWith();
    const mute = await outbound.request(requestTo(`https://127.0.0.1:${port}/`, { timeoutMs: 200, onSent }));
    assert.ok(mute.status === undefined);
    assert.match(mute.reason, /within 200 ms/);
    await outbound.request(requestTo('http://127.0.0.1:1/', { onSent }));
    await outbound.request(requestTo('http://10.0.0.1/', { onSent }));
    assert.equal(sent, 0);
  });

  it('never comes for a request whose time was over before the connection was there', async () => {
    const receiver = await receiverWith();
    const { port } = new URL(receiver.url);
    const resolve: ResolveName = async () => {
      await new Promise((done) => setTimeout(done, 150));
      return [{ address: '127.0.0.1', family: 4 }];
    };
    let sent = 0;
    const outbound = outboundWith(resolve);
    const late = await outbound.request(requestTo(`http://slow.test:${port}/`, { timeoutMs: 50, onSent: () => (sent += 1) }));
    assert.equal(late.status, undefined);
    const next = await outbound.request(requestTo(`http://slow.test:${port}/`, { onSent: () => (sent += 1) }));
    assert.equal(next.status, 200);
    assert.equal(sent, 1);
    assert.equal(receiver.received.length, 1);
  });
});

describe('addresses, again when connecting', () => {
  it('a name that is public when the target is made and private later is refused at the connection', async () => {
    const receiver = await receiverWith();
    const { port } = new URL(receiver.url);
    const answers = ['93.184.216.34', '127.0.0.1'];
    const resolve: ResolveName = async () => [{ address: answers.shift() ?? '127.0.0.1', family: 4 }];
    const outbound = outboundWith(resolve, []);
    assert.equal(await kindOf(outbound.checkUrl(`http://rebind.test:${port}/`)), undefined);
    const reply = await outbound.request(requestTo(`http://rebind.test:${port}/`));
    assert.ok(reply.status === undefined);
    assert.match(reply.reason, /is not public/);
    assert.equal(receiver.connections(), 0);
  });

  it('of a name with several addresses only the allowed ones are connected to', async () => {
    const receiver = await receiverWith();
    const { port } = new URL(receiver.url);
    const resolve: ResolveName = async () => [
      { address: '169.254.169.254', family: 4 },
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ];
    const reply = await outboundWith(resolve).request(requestTo(`http://mixed.test:${port}/`));
    assert.equal(reply.status, 200);
  });

  it('an address in the URL is checked at the connection too', async () => {
    const receiver = await receiverWith();
    const reply = await outboundWith(undefined, []).request(requestTo(receiver.url));
    assert.ok(reply.status === undefined);
    assert.match(reply.reason, /is not public/);
    assert.equal(receiver.connections(), 0);
  });

  it('many connections to one name at a time ask for it once', async () => {
    const receiver = await receiverWith(() => ({ afterMs: 20 }));
    const { port } = new URL(receiver.url);
    let asked = 0;
    const resolve: ResolveName = async () => {
      asked += 1;
      await new Promise((done) => setTimeout(done, 20));
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const outbound = outboundWith(resolve);
    await Promise.all(Array.from({ length: 16 }, () => outbound.request(requestTo(`http://many.test:${port}/`))));
    assert.equal(asked, 1);
  });
});

describe('checking an address when a target is made', () => {
  it('refuses names with private addresses only, and says where the fault is', async () => {
    const outbound = outboundWith(async () => [{ address: '10.0.0.7', family: 4 }], []);
    await assert.rejects(outbound.checkUrl('https://inside.test/'), (error) => {
      assert.ok(error instanceof Problem);
      assert.equal(error.kind, 'address-not-allowed');
      assert.equal(error.extras.errors?.[0]?.at, '/config/url');
      assert.doesNotMatch(error.message, /10\.0\.0\.7/);
      return true;
    });
  });

  it('lets a name pass that does not resolve yet, or not in time', async () => {
    assert.equal(await kindOf(outboundWith(rejectWith('ENOTFOUND')).checkUrl('https://soon.test/')), undefined);
    assert.equal(await kindOf(outboundWith(() => new Promise(() => undefined)).checkUrl('https://slow.test/')), undefined);
  });

  it('refuses other schemes, user info and what is no URL', async () => {
    const outbound = outboundWith();
    for (const url of [
      'ftp://example.com/',
      'file:///etc/passwd',
      'javascript:1',
      'http://',
      'nonsense',
      '',
      'http://a:b@example.com/',
      'https://token@example.com/',
    ]) {
      assert.equal(await kindOf(outbound.checkUrl(url)), 'bad-body', url);
    }
    assert.equal((await outbound.request(requestTo('http://a:b@127.0.0.1/'))).status, undefined);
    assert.equal((await outbound.request(requestTo('ftp://127.0.0.1/'))).status, undefined);
  });
});
