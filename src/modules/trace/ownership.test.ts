import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDatabase } from '../../database/open-database.ts';
import type { Caller, Scope } from '../../foundation/caller.ts';
import { createClock } from '../../foundation/clock.ts';
import type { Owned } from './ownership.ts';
import { createTrace, type TraceEntryIn } from './trace.ts';

const caller = (id: string, scopes: readonly Scope[] = [], more: Partial<Caller> = {}): Caller => ({
  ...{ id, kind: 'person', tenantId: 'ten_1', sessionId: 'ses_1', scopes: new Set(scopes), ...more },
});
const [ann, bob] = [caller('per_ann'), caller('per_bob')];
const phone = caller('dev_1', [], { kind: 'device', personId: 'per_ann' });
const admin = caller('per_admin', ['people:manage']);
const foreigner = caller('per_ann', ['people:manage'], { tenantId: 'ten_2' });

const entry = (subject: string, what: TraceEntryIn['what'], who: string, more: Partial<TraceEntryIn> = {}): TraceEntryIn => ({
  ...{ tenantId: 'ten_1', subject, kind: 'file', at: 1, what, who, ...more },
});

const given = async (context: TestContext, entries: readonly TraceEntryIn[]) => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-trace-'));
  const database = await openDatabase({ url: `sqlite:${join(folder, 'test.db')}`, clock: createClock() });
  context.after(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });
  const trace = createTrace({ database });
  await database.write(trace.entries(entries));
  /** What each of them is shown, as words, or why not. */
  const seen = (who: Caller, id: string, folderToken?: string) =>
    trace.get(who, id, folderToken).then(
      ({ entries: shown }) => shown.map(({ what }) => what).join(' '),
      ({ kind }: { kind: string }) => kind,
    );
  return { trace, seen };
};

test('what happened to a file that is gone is seen by whose it was and by administrators, not by who fetched it', async (context) => {
  const { seen } = await given(context, [
    entry('file_1', 'received', 'per_ann'),
    entry('file_1', 'fetched', 'per_bob'),
    entry('file_1', 'deleted', 'per_ann'),
  ]);
  const whole = 'received fetched deleted';
  assert.deepEqual([await seen(ann, 'file_1'), await seen(phone, 'file_1'), await seen(admin, 'file_1')], [whole, whole, whole]);
  assert.deepEqual([await seen(bob, 'file_1'), await seen(foreigner, 'file_1')], ['not-found', 'not-found']);
});

test('where retention has removed the beginning, what is left is seen by administrators alone', async (context) => {
  const { seen } = await given(context, [entry('file_1', 'fetched', 'per_bob'), entry('file_1', 'deleted', 'per_ann')]);
  assert.deepEqual([await seen(bob, 'file_1'), await seen(admin, 'file_1')], ['not-found', 'fetched deleted']);
});

test('of a request everybody sees what is its own, and nothing of what others or a lock hide', async (context) => {
  const requestId = 'req_1';
  const { trace, seen } = await given(context, [
    entry('file_1', 'received', 'per_ann', { requestId }),
    entry('file_2', 'received', 'per_bob', { requestId }),
    entry('file_3', 'received', 'per_ann', { requestId }),
    entry('fold_1', 'created', 'per_ann', { requestId, kind: 'folder' }),
    entry('shr_1', 'created', 'per_ann', { requestId, kind: 'share' }),
    entry('tgt_1', 'changed', 'per_admin', { requestId, kind: 'target' }),
  ]);
  const owned: readonly (readonly [string, Owned])[] = [
    ['file_1', { ownerId: 'per_ann', isHidden: false }],
    ['file_2', { ownerId: 'per_bob', isHidden: false }],
    ['file_3', { ownerId: 'per_ann', isHidden: true }],
  ];
  trace.askOwnersOf(
    'file',
    async (_caller, ids, folderToken) =>
      new Map(
        owned
          .filter(([id]) => ids.includes(id))
          .map(([id, { ownerId, isHidden }]) => [id, { ownerId, isHidden: isHidden && folderToken !== 'the key' }]),
      ),
  );
  assert.equal(await seen(ann, requestId), 'received created created changed');
  assert.equal(await seen(ann, requestId, 'the key'), 'received received created created changed');
  assert.equal(await seen(bob, requestId), 'received changed');
  assert.equal(await seen(admin, requestId), 'received received created created changed');
  assert.deepEqual(
    [await seen(ann, 'file_3'), await seen(admin, 'file_3'), await seen(bob, 'file_3'), await seen(ann, 'file_3', 'the key')],
    ['locked', 'locked', 'not-found', 'received'],
  );
});
