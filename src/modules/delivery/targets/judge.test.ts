import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, it } from 'node:test';
import { judgeWebhook, tidyReason } from './judge.ts';
import { judgeGraphql } from './judge-graphql.ts';
import { retryAfterMs } from './retry-after.ts';
import type { Judged, Outcome } from './target.ts';

const now = Date.parse('2026-11-24T12:00:00.000Z');
const hourMs = 3_600_000;
const reply = (status: number, body: unknown = '', headers: IncomingHttpHeaders = {}) => ({
  status,
  headers,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const webhook = (status: number, headers: IncomingHttpHeaders = {}) => judgeWebhook(reply(status, '', headers), now);
const graphql = (status: number, body: unknown, headers: IncomingHttpHeaders = {}) => judgeGraphql(reply(status, body, headers), now);
const withCode = (code: unknown, message = 'no') => ({ errors: [{ message, extensions: { code } }] });
const reasonOf = (judged: Judged): string => ('reason' in judged ? judged.reason : '');
const content = { data: { processEvent: { id: '1' } } };

/** Statuses that mean the same for both kinds; without a body that says more. */
const byStatus: [Outcome['outcome'], number[]][] = [
  ['refused', [400, 413, 415, 422]],
  ['throttled', [429]],
  [
    'failed',
    [
      300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 406, 408, 409, 412, 418, 421, 424, 425, 426, 451, 500, 501, 502, 503, 504,
      507, 599,
    ],
  ],
];

describe('judging by status', () => {
  for (const [outcome, statuses] of byStatus) {
    for (const status of statuses) {
      it(`${status} is ${outcome}, for a webhook and for GraphQL`, () => {
        assert.equal(webhook(status).outcome, outcome);
        assert.equal(webhook(status).status, status);
        assert.equal(graphql(status, '').outcome, outcome);
        assert.match(reasonOf(webhook(status)), new RegExp(`answered ${status}`));
      });
    }
  }

  it('any 2xx from a webhook is delivered, whatever its body is', () => {
    for (const status of [200, 201, 202, 204, 206]) assert.deepEqual(webhook(status), { outcome: 'delivered', status });
    assert.equal(judgeWebhook({ ...reply(200, 'half'), brokenOff: 'the connection was reset' }, now).outcome, 'delivered');
  });

  it('410 from a webhook pauses the target; from GraphQL it is one more failure', () => {
    assert.equal(webhook(410).outcome, 'gone');
    assert.equal(graphql(410, '').outcome, 'failed');
  });

  it('503 pauses the lane only when it says for how long', () => {
    assert.equal(webhook(503).outcome, 'failed');
    assert.equal(webhook(503, { 'retry-after': 'soon' }).outcome, 'failed');
    assert.deepEqual(webhook(503, { 'retry-after': '5' }), {
      outcome: 'throttled',
      status: 503,
      reason: 'The target answered 503.',
      retryAfterMs: 5000,
    });
    assert.equal(graphql(503, '', { 'retry-after': '5' }).outcome, 'throttled');
  });

  it('429 without a time has none', () => {
    assert.deepEqual(webhook(429), { outcome: 'throttled', status: 429, reason: 'The target answered 429.' });
  });

  it('no answer at all is failed, with the reason', () => {
    for (const judge of [judgeWebhook, judgeGraphql]) {
      assert.deepEqual(judge({ reason: 'The name a does not resolve.' }, now), {
        outcome: 'failed',
        reason: 'The name a does not resolve.',
      });
    }
  });

  it('a test by hand sees the first 1 KiB of the answer, never a part of a character', () => {
    assert.equal(judgeWebhook(reply(500, 'oh no'), now).responseBody, 'oh no');
    const long = judgeWebhook(reply(500, `${'x'.repeat(1023)}ü${'x'.repeat(5000)}`), now).responseBody;
    assert.equal(long, 'x'.repeat(1023));
    assert.equal('responseBody' in webhook(204), false);
  });
});

describe('judging GraphQL', () => {
  it('data without errors is delivered, also where `errors` is there but empty', () => {
    for (const body of [content, { ...content, errors: [] }, { ...content, errors: null }, { data: { processEvent: null } }]) {
      assert.equal(graphql(200, body).outcome, 'delivered', JSON.stringify(body));
    }
  });

  it('data together with errors is not delivered', () => {
    assert.equal(graphql(200, { ...content, errors: [{ message: 'half of it' }] }).outcome, 'failed');
  });

  it('200 with what is not GraphQL is failed', () => {
    for (const body of [
      '',
      'OK',
      '<html>',
      '[]',
      '1',
      'null',
      '{}',
      '{"ok":true}',
      '{"data":null}',
      '{"data":[]}',
      '{"data":{}',
      '"data"',
      '{"data":null,"errors":[]}',
    ]) {
      assert.equal(graphql(200, body).outcome, 'failed', body);
      assert.notEqual(reasonOf(graphql(200, body)), '');
    }
  });

  it('an answer that broke off is failed, with what broke it off', () => {
    const judged = judgeGraphql({ ...reply(200, '{"data":'), brokenOff: 'the connection was reset.' }, now);
    assert.deepEqual([judged.outcome, reasonOf(judged)], ['failed', 'The answer broke off: the connection was reset.']);
  });

  it('throttling codes pause the lane, in whatever form and with whatever status', () => {
    for (const code of [
      'THROTTLED',
      'throttled',
      'RATE_LIMITED',
      'rate-limited',
      'RateLimited',
      'RATE_LIMIT_EXCEEDED',
      'TOO_MANY_REQUESTS',
      'Too Many Requests',
      '429',
      429,
    ]) {
      for (const status of [200, 400, 403, 429, 500, 503]) {
        assert.equal(graphql(status, withCode(code)).outcome, 'throttled', `${status} ${code}`);
      }
    }
    assert.deepEqual(graphql(200, withCode('THROTTLED', 'slow down'), { 'retry-after': '3' }), {
      outcome: 'throttled',
      status: 200,
      reason: 'slow down',
      retryAfterMs: 3000,
      responseBody: JSON.stringify(withCode('THROTTLED', 'slow down')),
    });
  });

  it('validation codes are the fault of the item', () => {
    for (const code of ['GRAPHQL_VALIDATION_FAILED', 'GRAPHQL_PARSE_FAILED', 'BAD_USER_INPUT', 'bad_user_input', 'VALIDATION_ERROR']) {
      const judged = graphql(200, withCode(code, 'Variable "$input" is wrong'));
      assert.deepEqual([judged.outcome, reasonOf(judged)], ['refused', 'Variable "$input" is wrong'], code);
    }
  });

  it('what graphql-js says of a wrong document or variable is the fault of the item, also without a code', () => {
    for (const message of [
      'Cannot query field "processEvent" on type "Mutation".',
      'Variable "$input" got invalid value 5 at "input.id"; String cannot represent a non string value: 5',
      'Unknown argument "input" on field "Mutation.processEvent".',
      'Syntax Error: Unexpected "}".',
    ]) {
      assert.equal(graphql(200, { errors: [{ message }] }).outcome, 'refused', message);
    }
    assert.equal(graphql(200, { errors: [{ message: 'Variable costs are not known yet' }] }).outcome, 'failed');
  });

  it('throttling goes before validation, validation before other errors', () => {
    const errors = [
      { message: 'a' },
      { message: 'b', extensions: { code: 'BAD_USER_INPUT' } },
      { message: 'c', extensions: { code: 'THROTTLED' } },
    ];
    assert.equal(reasonOf(graphql(200, { errors })), 'c');
    assert.equal(graphql(200, { errors }).outcome, 'throttled');
    assert.equal(graphql(200, { errors: errors.slice(0, 2) }).outcome, 'refused');
  });

  it('other errors are failed with the first message, 400 is refused with it', () => {
    assert.equal(reasonOf(graphql(200, withCode('INTERNAL_SERVER_ERROR', 'it broke'))), 'it broke');
    assert.equal(graphql(200, withCode('INTERNAL_SERVER_ERROR', 'it broke')).outcome, 'failed');
    assert.deepEqual(
      [graphql(400, withCode('X', 'bad')).outcome, reasonOf(graphql(400, withCode('X', 'bad')))],
      ['refused', 'The target answered 400: bad'],
    );
  });

  it('errors without the right form are failed, not fatal', () => {
    for (const errors of [
      'text',
      {},
      { message: 'm' },
      [null],
      [1],
      ['text'],
      [[]],
      [{}],
      [{ message: 5 }],
      [{ extensions: 'x' }],
      [{ extensions: { code: {} } }],
      true,
      0,
    ]) {
      const judged = graphql(200, { errors });
      assert.equal(judged.outcome, 'failed', JSON.stringify(errors));
      assert.notEqual(reasonOf(judged), '');
    }
  });
});

describe('reasons', () => {
  it('are one line of at most 300 characters without control characters', () => {
    assert.equal(tidyReason(' a\n\tb\u0000\u001b[31mc\u202ed\u2028e '), 'a b [31mc d e');
    const long = tidyReason('x'.repeat(100_000));
    assert.equal(long.length, 300);
    assert.ok(long.endsWith('…'));
    assert.equal(tidyReason(`${'x'.repeat(298)}😀😀`), `${'x'.repeat(298)}…`);
    assert.equal(tidyReason('x'.repeat(300)), 'x'.repeat(300));
  });
});

describe('how long a target wants us to wait', () => {
  const second = now / 1000;
  const table: [string, IncomingHttpHeaders, number | undefined][] = [
    ['seconds', { 'retry-after': '7' }, 7000],
    ['parts of a second', { 'retry-after': '0.5' }, 500],
    ['more than an hour', { 'retry-after': '86400' }, hourMs],
    ['a number beyond all numbers', { 'retry-after': '9'.repeat(400) }, hourMs],
    ['nothing at all', { 'retry-after': '0' }, undefined],
    ['less than nothing', { 'retry-after': '-5' }, undefined],
    ['nonsense', { 'retry-after': 'later' }, undefined],
    ['an HTTP date', { 'retry-after': 'Tue, 24 Nov 2026 12:00:30 GMT' }, 30_000],
    ['an HTTP date that has passed', { 'retry-after': 'Tue, 24 Nov 2026 11:00:00 GMT' }, undefined],
    [
      "an HTTP date by the target's own clock",
      { 'retry-after': 'Tue, 24 Nov 2026 13:00:10 GMT', date: 'Tue, 24 Nov 2026 13:00:00 GMT' },
      10_000,
    ],
    ['an HTTP date far away', { 'retry-after': 'Tue, 24 Nov 2099 12:00:00 GMT' }, hourMs],
    ['RateLimit as the draft has it', { ratelimit: '"default";r=0;t=12' }, 12_000],
    ['RateLimit of several policies', { ratelimit: '"burst";r=5;t=90, "day";r=0;t=40, "minute";r=0;t=20' }, 40_000],
    ['RateLimit with something left', { ratelimit: '"default";r=5;t=12' }, undefined],
    ['RateLimit of an older draft', { ratelimit: 'limit=10, remaining=0, reset=9' }, 9000],
    ['RateLimit-Reset', { 'ratelimit-reset': '4' }, 4000],
    ['X-RateLimit-Reset in seconds', { 'x-ratelimit-reset': '15' }, 15_000],
    ['X-RateLimit-Reset as a time', { 'x-ratelimit-reset': String(second + 20) }, 20_000],
    ['X-RateLimit-Reset as a time in milliseconds', { 'x-ratelimit-reset': String(now + 2500) }, 2500],
    ['X-RateLimit-Reset-After', { 'x-ratelimit-reset-after': '1.5' }, 1500],
    ['X-RateLimit-Reset in the past', { 'x-ratelimit-reset': String(second - 20) }, undefined],
    ['Retry-After before the others', { 'retry-after': '2', 'ratelimit-reset': '50' }, 2000],
    ['no header', {}, undefined],
  ];
  for (const [name, headers, expected] of table) {
    it(`${name}: ${expected === undefined ? 'no time' : `${expected} ms`}`, () => assert.equal(retryAfterMs(headers, now), expected));
  }
});
