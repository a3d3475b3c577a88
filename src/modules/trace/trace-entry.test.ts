import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detailJsonOf, entriesIn, type StoredEntry, wordsOf } from './trace-entry.ts';

const row = (seq: number, what: string, detailJson: string | null): StoredEntry => ({
  seq,
  tenantId: 'ten_1',
  subject: 'fact_1',
  kind: 'event',
  itemId: null,
  deliveryId: 'dlv_1',
  requestId: null,
  at: 1,
  what,
  who: null,
  place: 'crm',
  detailJson,
});
const told = (rows: readonly StoredEntry[]) => entriesIn(rows).map(({ seq, what, detailJson }) => [seq, what, detailJson]);

const attempt = { outcome: 'delivered', status: 200, durationMs: 3 };

test('a try and what became of it are told as two entries, in order, though they share a row', () => {
  const detail = { nextAt: '2026-11-02T09:00:00.000Z' };
  const rows = [
    row(1, 'accepted', null),
    row(2, 'retrying', detailJsonOf({ attempt: { outcome: 'failed', reason: 'no', durationMs: 3 }, detail })),
    row(3, 'delivered', detailJsonOf({ attempt })),
  ];
  assert.deepEqual(told(rows), [
    [1, 'accepted', null],
    [1.5, 'attempted', '{"outcome":"failed","reason":"no","durationMs":3}'],
    [2, 'retrying', JSON.stringify(detail)],
    [2.5, 'attempted', JSON.stringify(attempt)],
    [3, 'delivered', null],
  ]);
});

test('entries that were written in rows of their own are told as they stand', () => {
  const rows = [
    row(1, 'attempted', JSON.stringify(attempt)),
    row(2, 'delivered', null),
    row(3, 'routed', detailJsonOf({ detail: { targets: 1 } })),
  ];
  assert.deepEqual(entriesIn(rows), rows);
});

test('what happened in one moment is told as entries of their own, though it shares a row, and stays when details are scrubbed', () => {
  const checked = { type: 'text/plain', size: 1 };
  const opening = { what: 'received', further: [{ what: 'checked', detail: checked }, { what: 'stored' }] } as const;
  const shared = row(9, wordsOf(opening), detailJsonOf(opening));
  assert.deepEqual(
    entriesIn([shared]).map(({ what, place, detailJson }) => [what, place, detailJson]),
    [
      ['received', 'crm', null],
      ['checked', null, JSON.stringify(checked)],
      ['stored', null, null],
    ],
  );
  const seqs = entriesIn([shared]).map(({ seq }) => seq);
  assert.ok(seqs.every((seq, index) => seq > 8 && seq > (seqs[index - 1] ?? 8)) && seqs.at(-1) === 9);
  assert.deepEqual(
    told([{ ...shared, detailJson: null }]).map(([, what, detail]) => [what, detail]),
    [
      ['received', null],
      ['checked', null],
      ['stored', null],
    ],
  );
});
