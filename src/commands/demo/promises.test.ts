import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCodeFor, type Findings, judgePromises } from './promises.ts';

/** Half a minute in which all went well. */
const good: Findings = {
  sent: 3,
  acknowledgedIds: new Set(['a', 'b', 'c']),
  refusals: [],
  answers: { limitMs: 500, slow: 0, slowestMs: 14.2, medianMs: 3 },
  pace: {
    rate: { requests: 1, intervalMs: 2_000 },
    admitted: 15,
    refused: 0,
    tightestMs: 2_014,
    firstAt: 0,
    lastAt: 28_224,
    backlogMs: 30_000,
  },
  flow: { waiting: 1, retrying: 1, delivered: 1, dead: 0 },
  states: new Map([
    ['a', 'delivered'],
    ['b', 'waiting'],
    ['c', 'waiting'],
  ]),
  takenIds: new Set(['a']),
  received: 15,
  wrongShapes: [],
  notEnriched: [],
  session: { refreshes: 4, unknown: 0, leastLeftMs: 3_900, failure: undefined },
};

const brokenOf = (findings: Findings) =>
  judgePromises(findings)
    .filter(({ isKept }) => !isKept)
    .map(({ promise, because }) => `${promise}: ${because}`);

const withPace = (pace: Partial<Findings['pace']>): Findings => ({ ...good, pace: { ...good.pace, ...pace } });

test('a demo in which all went well ends with exit code 0', () => {
  assert.deepEqual(brokenOf(good), []);
  assert.equal(exitCodeFor(judgePromises(good)), 0);
});

test('each broken promise is named with what broke it, and the exit code is 1', () => {
  const cases: readonly (readonly [Findings, RegExp])[] = [
    [{ ...good, sent: 4, refusals: ['d: 503 full'] }, /^every event was acknowledged: 1 of 4 were not: d: 503 full$/],
    [
      { ...good, answers: { ...good.answers, slow: 2, slowestMs: 731.5 } },
      /^every answer came within 500 ms: 2 did not, the slowest 732 ms$/,
    ],
    [
      { ...good, session: { ...good.session, unknown: 7 } },
      /^the session was refreshed in time: 7 requests were answered with 401, after it was refreshed 4 times$/,
    ],
    [{ ...good, session: { ...good.session, failure: 'it was refused' } }, /^the session was refreshed in time: it was refused$/],
    [
      withPace({ refused: 2, tightestMs: 1_200 }),
      /^the pace was never exceeded: 2 requests came too early and were answered with 429, closest two 1,200 ms apart$/,
    ],
    [withPace({ admitted: 9 }), /^the pace was used: 9 requests, where 1 request in 2 s made 13 possible$/],
    [{ ...good, wrongShapes: ['a differs from what was sent'] }, /^every event arrived as it was sent: a differs from what was sent$/],
    [{ ...good, notEnriched: ['a'] }, /^every event arrived enriched: the brand was missing: a$/],
  ];
  for (const [findings, complaint] of cases) {
    const broken = brokenOf(findings);
    assert.equal(broken.length, 1, broken.join('\n'));
    assert.match(broken[0] ?? '', complaint);
    assert.equal(exitCodeFor(judgePromises(findings)), 1);
  }
});

test('an acknowledged event that the server does not know any more is told by its id', () => {
  const states = new Map([...good.states].filter(([id]) => id !== 'b'));
  assert.match(brokenOf({ ...good, states, flow: { ...good.flow, waiting: 0 } }).join(), /accounted for: 1 are not there: b$/);
});

test('an event that is called delivered but never arrived is told by its id', () => {
  assert.match(brokenOf({ ...good, takenIds: new Set() }).join(), /accounted for: 1 are called delivered, but never arrived: a$/);
});

test('numbers that do not add up are told', () => {
  assert.match(
    brokenOf({ ...good, flow: { ...good.flow, waiting: 0 } }).join(),
    /accounted for: 3 are there, but 1 delivered \+ 0 waiting \+ 1 retrying \+ 0 dead makes 2$/,
  );
});

test('no pace is asked of a server whose source sends less than the target takes', () => {
  assert.deepEqual(brokenOf(withPace({ admitted: 1, backlogMs: undefined })), []);
});

test('a demo that was stopped before anything could arrive breaks no promise about arriving', () => {
  const early: Findings = {
    ...withPace({ admitted: 0, tightestMs: undefined, firstAt: undefined, lastAt: undefined, backlogMs: 150 }),
    flow: { waiting: 3, retrying: 0, delivered: 0, dead: 0 },
    states: new Map([...good.states].map(([id]) => [id, 'accepted'])),
    takenIds: new Set(),
    received: 0,
    session: { refreshes: 0, unknown: 0, leastLeftMs: undefined, failure: undefined },
  };
  assert.deepEqual(brokenOf(early), []);
});
