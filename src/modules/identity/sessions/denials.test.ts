import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from '../../../foundation/caller.ts';
import { createDenials } from './denials.ts';

const caller = (sessionId: string): Caller => ({
  id: 'svc_1',
  kind: 'service',
  tenantId: 'ten_1',
  sessionId,
  scopes: new Set(['events:send']),
});

test('tokens of an ended session are refused, those of others are not', () => {
  const denials = createDenials();
  denials.endSession('ses_1', 1_000);
  assert.equal(denials.judge(caller('ses_1'), 500), undefined);
  assert.deepEqual(denials.judge(caller('ses_2'), 500), caller('ses_2'));
});

test('changed scopes count for tokens that are out, and the newest change counts whatever the order in which one hears of it', () => {
  const denials = createDenials();
  denials.changeScopes('svc_1', new Set(['trace:read']), 2_000);
  denials.changeScopes('svc_1', new Set(['files:read']), 1_000);
  assert.deepEqual([...(denials.judge(caller('ses_1'), 500)?.scopes ?? [])], ['trace:read']);
});

test('what happened before every token that is out is forgotten', () => {
  const denials = createDenials();
  denials.endSession('ses_1', 1_000);
  denials.changeScopes('svc_1', new Set(), 1_000);
  denials.forgetBefore(1_001);
  assert.deepEqual(denials.judge(caller('ses_1'), 900), caller('ses_1'));
});

test('with more ended sessions than there is room for, older tokens are refused rather than ended ones let in', () => {
  const denials = createDenials({ maxEntries: 2 });
  for (const [index, id] of ['ses_1', 'ses_2', 'ses_3'].entries()) denials.endSession(id, 1_000 + index);
  assert.equal(denials.judge(caller('ses_1'), 900), undefined);
  assert.equal(denials.judge(caller('ses_9'), 900), undefined);
  assert.equal(denials.judge(caller('ses_3'), 1_500), undefined);
  assert.deepEqual(denials.judge(caller('ses_9'), 1_500), caller('ses_9'));
});

test('of a suspended tenant nobody is let in, and the newest change counts whatever the order in which one hears of it', () => {
  const denials = createDenials();
  const suspended = { id: 'ten_1', state: 'suspended', updatedAt: 2_000 } as const;
  denials.noteTenant(suspended);
  assert.equal(denials.judge(caller('ses_1'), 500), undefined);
  denials.noteTenant({ ...suspended, state: 'active', updatedAt: 1_999 });
  assert.ok(denials.isSuspended('ten_1'), 'somebody who looked before the change does not undo it');
  denials.forgetBefore(5_000);
  assert.equal(denials.judge(caller('ses_1'), 4_000), undefined, 'it is suspended until it is not');
  denials.noteTenant({ ...suspended, state: 'active', updatedAt: 6_000 });
  assert.deepEqual(denials.judge(caller('ses_1'), 4_000), caller('ses_1'));
  assert.ok(!denials.isSuspended('ten_2'));
});

test('a changed role counts for the devices of the person, never for more than a device may do', () => {
  const denials = createDenials();
  const device: Caller = { ...caller('ses_1'), id: 'dev_1', kind: 'device', personId: 'per_1', scopes: new Set(['events:read']) };
  const scopesOf = (one: Caller) => [...(denials.judge(one, 500)?.scopes ?? [])];
  denials.changeScopes('per_1', new Set(['events:read', 'events:send', 'people:manage']), 1_000);
  assert.deepEqual(scopesOf(device), ['events:read', 'events:send']);
  assert.deepEqual(scopesOf({ ...device, isLimited: true }), ['events:read'], 'a limited session stays at what it was given');
  denials.changeScopes('per_1', new Set(), 2_000);
  assert.deepEqual(scopesOf(device), []);
});
