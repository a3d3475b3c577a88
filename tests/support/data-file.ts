import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sizesOnDisk } from './kept-bytes.ts';

type Row = Record<string, unknown>;

/** The data of a server that is not running, or that another process may look at: read-only, whatever is asked. */
export const readData = <T>(dataFolder: string, look: (rows: (sql: string) => Row[]) => T): T => {
  const file = new DatabaseSync(join(dataFolder, 'entrepot.db'), { readOnly: true });
  try {
    return look((sql) => file.prepare(sql).all() as Row[]);
  } finally {
    file.close();
  }
};

/** Writes past the server, also while it runs: for what no request brings about. Several statements take no values. */
export const changeData = (dataFolder: string, sql: string, ...values: (string | number | null)[]): void => {
  const file = new DatabaseSync(join(dataFolder, 'entrepot.db'), { timeout: 10_000 });
  try {
    if (values.length === 0) file.exec(sql);
    else file.prepare(sql).run(...values);
  } finally {
    file.close();
  }
};

/** What must hold in the data whenever no transaction is open, whatever happened to the server before: each finds rows that break it. */
const invariants: Readonly<Record<string, string>> = {
  'the counts of files, with what is noted still, are those of the rows': `
    select * from (select (select count(*) from files where state = 'stored') as files, (select total(size) from files where state = 'stored') as bytes,
      (select total(files) from fileStats where ownerId = '' and span = 'day' and dimension = 'total') + (select total(files) from fileStatChanges) as countedFiles,
      (select total(bytes) from fileStats where ownerId = '' and span = 'day' and dimension = 'total') + (select total(bytes) from fileStatChanges) as countedBytes)
    where files <> countedFiles or bytes <> countedBytes`,
  'months are counted as their days are': `
    select * from (select tenantId, sum(files * iif(span = 'day', 1, -1)) as files, sum(bytes * iif(span = 'day', 1, -1)) as bytes,
      sum(downloads * iif(span = 'day', 1, -1)) as downloads from fileStats where ownerId = '' group by tenantId, dimension, audience, key)
    where files <> 0 or bytes <> 0 or downloads <> 0`,
  'every file has its place in the orders of names and of sizes, in a stretch that knows its sign': `
    select files.id from files cross join (select 0 as bySize union all select 1)
    left join fileOrders as entry on entry.isBySize = bySize and entry.key = case bySize when 0 then nameKey else size end
      and entry.position = +files.position
    left join fileStretches as stretch on stretch.isBySize = bySize and (fromKey, fromPosition) <= (entry.key, entry.position)
      and (toKey, toPosition) > (entry.key, entry.position)
    where entry.position is null or stretch.s0 & entry.s0 is not entry.s0 or stretch.s7 & entry.s7 is not entry.s7
    union all select count(*) from fileOrders having count(*) <> 2 * (select count(*) from files)`,
  'every file is in the index of terms': `
    select * from (select (select count(*) from files) as files, (select count(*) from fileSearch) as found) where files <> found`,
  'the counts of deliveries are those of the rows (under way counts where it was before)': `
    select coalesce(counted.targetId, kept.targetId) as target, coalesce(counted.state, kept.state) as state, counted.amount as counted, kept.amount as kept
    from (select targetId, case when state <> 'delivering' then state when attempts > 0 then 'retrying' else 'waiting' end as state, count(*) as amount
      from deliveries group by 1, 2) as counted
    full join (select * from deliveryCounts where amount <> 0) as kept on kept.targetId = counted.targetId and kept.state = counted.state
    where counted.amount is not kept.amount`,
  'a fact knows how many of its deliveries are open and stuck': `
    select facts.position, facts.openDeliveries, facts.stuckDeliveries, open.amount as open, stuck.amount as stuck from factStates as facts
    left join (select factPosition, count(*) as amount from deliveries where state in ('waiting', 'delivering', 'retrying') group by 1) as open
      on open.factPosition = facts.position
    left join (select factPosition, count(*) as amount from deliveries where state in ('dead', 'parked') group by 1) as stuck
      on stuck.factPosition = facts.position
    where facts.openDeliveries <> coalesce(open.amount, 0) or facts.stuckDeliveries <> coalesce(stuck.amount, 0)`,
  'the state of a fact follows from its deliveries': `
    select position, state, openDeliveries, stuckDeliveries from factStates
    left join (select factPosition, count(*) as amount from deliveries group by 1) as made on made.factPosition = position
    where state <> case when made.amount is null then 'no-target' when openDeliveries > 0 then 'waiting' when stuckDeliveries > 0 then 'dead' else 'delivered' end`,
  'an event is there once': 'select tenantId, eventId, senderId, source from facts group by 1, 2, 3, 4 having count(*) > 1',
  'facts are fanned out in their order, and no state is left without its fact': `
    select facts.position as fact, factStates.position as state from facts full join factStates on factStates.position = facts.position
    where facts.position is null or (factStates.position is null and facts.position < (select max(position) from factStates))`,
  'a delivery is of a fact that was fanned out': `
    select id from deliveries left join factStates on factStates.position = factPosition where factStates.position is null`,
  'a fact goes to a target once': 'select factId, targetId from deliveries group by 1, 2 having count(*) > 1',
  'the routed ones are counted': `
    select tenantId, amount, counted from factCounts
    join (select tenantId as tenant, count(*) as counted from factStates group by 1) on tenant = tenantId
    where name = 'routed' and amount <> counted`,
  'the trace of a fact tells how many targets wanted it': `
    select factStates.position, targets, made.amount from factStates
    left join (select factPosition, count(*) as amount from deliveries group by 1) as made on made.factPosition = factStates.position
    where targets <> coalesce(made.amount, 0)`,
  // That the target is gone is told, and spends no attempt; a replay begins to count anew.
  'the trace tells every attempt and every end': `
    select deliveries.id, deliveries.state, deliveries.attempts, tried.amount as told, ended.amount as ended from deliveries
    left join (select deliveryId, count(*) as amount from traceEntries
      where what = 'attempted' and json_extract(detailJson, '$.outcome') <> 'gone' or json_extract(detailJson, '$.attempt.outcome') is not null
      group by 1) as tried on tried.deliveryId = deliveries.id
    left join (select deliveryId, count(*) as amount from traceEntries where what = 'delivered' group by 1) as ended on ended.deliveryId = deliveries.id
    left join (select distinct deliveryId from traceEntries where what = 'replayed') as again on again.deliveryId = deliveries.id
    where again.deliveryId is null
      and (deliveries.attempts <> coalesce(tried.amount, 0) or (deliveries.state = 'delivered') <> (coalesce(ended.amount, 0) = 1))`,
  'what files take is counted right, by owner and in all': `
    select coalesce(counted.tenantId, kept.tenantId) as tenant, coalesce(counted.ownerId, kept.ownerId) as owner,
      counted.files, kept.files as keptFiles, counted.bytes, kept.bytes as keptBytes
    from (select tenantId, ownerId, count(*) as files, sum(size) as bytes from files where state <> 'rejected' group by 1, 2
      union all select tenantId, '', count(*), sum(size) from files where state <> 'rejected' group by 1) as counted
    full join (select * from fileUsage where files <> 0 or bytes <> 0) as kept
      on kept.tenantId = counted.tenantId and kept.ownerId = counted.ownerId
    where counted.files is not kept.files or counted.bytes is not kept.bytes`,
  'a file knows since when it is in the trash': `
    select id, state, trashedAt from files where (state = 'trashed') <> (trashedAt is not null)`,
  'of a file that is gone no row is left, and its trace says once that it was deleted': `
    select endedFiles.id, files.state, told.amount from endedFiles left join files on files.id = endedFiles.id
    left join (select subject, count(*) as amount from traceEntries where what = 'deleted' group by 1) as told on told.subject = endedFiles.id
    where files.id is not null or told.amount is not 1`,
  'what is held waits behind a head that is still to be delivered': `
    select deliveries.id, deliveries.targetId, deliveries.orderingKey, head.state from deliveries
    left join laneKeys on laneKeys.targetId = deliveries.targetId and laneKeys.orderingKey = deliveries.orderingKey
    left join deliveries as head on head.id = laneKeys.headId
    where deliveries.isHeld = 1 and (deliveries.state not in ('waiting', 'retrying') or laneKeys.headId is null
      or (laneKeys.isBlocked = 0 and (head.id is null or head.state not in ('waiting', 'retrying', 'delivering'))))`,
  'what is uploaded for a file has a file that expects it': `
    select uploads.id, files.state from uploads left join files on files.id = uploads.id
    where uploads.kind <> 'partial' and uploads.state = 'open' and (files.state is null or files.state not in ('expected', 'checking'))`,
};

/** Fails with the rows that break an invariant of the data, or when SQLite finds the file damaged. */
export const assertSound = (dataFolder: string): void =>
  readData(dataFolder, (rows) => {
    assert.deepEqual(
      rows('pragma integrity_check').map((row) => ({ ...row })),
      [{ integrity_check: 'ok' }],
    );
    for (const [claim, sql] of Object.entries(invariants)) {
      const broken = rows(sql);
      assert.equal(broken.length, 0, `${claim}; ${broken.length} rows say otherwise: ${JSON.stringify(broken.slice(0, 5))}`);
    }
  });

/** Fails where bytes that a row promises are not there, or are not as many. */
export const assertBytesThere = (dataFolder: string): void => {
  const rows = readData(dataFolder, (find) => find(`select id, size, state from files where state in ('checking', 'stored', 'trashed')`));
  const bytes = sizesOnDisk(dataFolder);
  assert.deepEqual(
    rows.filter(({ id, size }) => bytes.get(String(id)) !== size),
    [],
    'rows without their bytes',
  );
};

/** Whole blobs that neither a file nor an order to remove them stands for. */
export const litterIn = (dataFolder: string): string[] => {
  const known = readData(dataFolder, (find) => find('select id from files union select blobKey from blobRemovals'));
  const keys = new Set(known.map(({ id }) => String(id)));
  return [...sizesOnDisk(dataFolder).keys()].filter((key) => !keys.has(key) && !keys.has(key.split('-')[0] ?? ''));
};
