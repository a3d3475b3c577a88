import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, stateOf } from './item-state.ts';
import type { StoredEntry, TraceWhat } from './trace-entry.ts';

const entry = (what: TraceWhat, over: Partial<StoredEntry> = {}): StoredEntry => ({
  seq: 0,
  tenantId: 'ten_1',
  subject: 'fact_1',
  kind: 'event',
  itemId: null,
  deliveryId: null,
  requestId: null,
  at: 0,
  what,
  who: null,
  place: null,
  detailJson: null,
  ...over,
});
const accepted = entry('accepted', { itemId: 'order-1', requestId: 'req_1' });
const routed = (targets: number) => entry('routed', { detailJson: JSON.stringify({ targets }) });
const of = (deliveryId: string, ...words: TraceWhat[]) => words.map((what) => entry(what, { deliveryId }));

const state = (...entries: StoredEntry[]) => stateOf('order-1', entries);

test('an event is accepted, then waiting until every target has it', () => {
  assert.equal(state(accepted), 'accepted');
  assert.equal(state(accepted, routed(2)), 'waiting');
  assert.equal(state(accepted, routed(2), ...of('a', 'attempted', 'delivered')), 'waiting');
  assert.equal(state(accepted, routed(2), ...of('a', 'attempted', 'delivered'), ...of('b', 'attempted', 'retrying')), 'waiting');
  assert.equal(
    state(accepted, routed(2), ...of('a', 'attempted', 'delivered'), ...of('b', 'attempted', 'retrying', 'attempted', 'delivered')),
    'delivered',
  );
});

test('that no target wants it is a state, too', () => {
  assert.equal(state(accepted, entry('no-target')), 'no-target');
});

test('one delivery that is dead or parked makes the event dead once nothing is open any more, and a replay opens it again', () => {
  const dead = of('a', 'attempted', 'dead');
  assert.equal(state(accepted, routed(2), ...dead), 'waiting');
  assert.equal(state(accepted, routed(2), ...dead, ...of('b', 'delivered')), 'dead');
  assert.equal(state(accepted, routed(1), ...of('a', 'parked')), 'dead');
  assert.equal(state(accepted, routed(1), ...dead, ...of('a', 'replayed')), 'waiting');
  assert.equal(state(accepted, routed(1), ...dead, ...of('a', 'replayed', 'attempted', 'delivered')), 'delivered');
});

test('a pause that the target asks for changes nothing', () => {
  assert.equal(state(accepted, routed(1), ...of('a', 'throttled')), 'waiting');
  assert.equal(state(accepted, routed(1), ...of('a', 'throttled', 'attempted', 'delivered', 'throttled')), 'delivered');
});

test('a delivery has a state of its own', () => {
  const all = [accepted, routed(2), ...of('a', 'attempted', 'dead'), ...of('b', 'throttled'), ...of('c', 'attempted', 'retrying')];
  assert.equal(stateOf('a', all), 'dead');
  assert.equal(stateOf('c', all), 'retrying');
  assert.equal(stateOf('b', of('b', 'throttled')), 'waiting');
  assert.equal(stateOf('a', [...all, ...of('a', 'replayed')]), 'waiting');
});

test('services, sessions and targets stand where their last change left them', () => {
  const service = (what: TraceWhat) => entry(what, { kind: 'service', subject: 'svc_1' });
  const ofService = (...words: TraceWhat[]) => stateOf('svc_1', words.map(service));
  assert.equal(ofService('created'), 'created');
  assert.equal(ofService('created', 'rotated', 'changed', 'signed-in', 'refused', 'revoked'), 'created');
  assert.equal(ofService('created', 'removed'), 'removed');
  const ofTarget = (...words: TraceWhat[]) =>
    stateOf(
      'tgt_1',
      words.map((what) => entry(what, { kind: 'target', subject: 'tgt_1' })),
    );
  assert.equal(ofTarget('created', 'paused'), 'paused');
  assert.equal(ofTarget('created', 'paused', 'resumed', 'changed'), 'active');
});

test('an id tells what it names', () => {
  const all = [accepted, routed(1), ...of('dlv_1', 'delivered')];
  assert.equal(kindOf('order-1', all), 'event');
  assert.equal(kindOf('fact_1', all), 'event');
  assert.equal(kindOf('dlv_1', all), 'delivery');
  assert.equal(kindOf('req_1', [accepted]), 'request');
  assert.equal(kindOf('nothing', []), 'unknown');
});

test('a device is paired or unpaired, while its person stays what it is', () => {
  const of = (kind: string, ...words: TraceWhat[]) =>
    stateOf(
      'id',
      words.map((what) => entry(what, { subject: 'id', kind })),
    );
  assert.equal(of('device', 'paired', 'signed-in', 'refreshed'), 'paired');
  assert.equal(of('device', 'paired', 'signed-in', 'unpaired'), 'unpaired');
  assert.equal(of('person', 'signed-up', 'paired', 'unpaired', 'signed-in'), 'signed-up');
});
