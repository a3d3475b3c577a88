import { type Write, WriteRefused } from '../../database/database.ts';
import type { DeliveryPast } from './delivery-resource.ts';
import type { StoredDelivery } from './delivery-store.ts';
import type { Judgement } from './judgement.ts';
import type { LaneNeeds } from './lane.ts';
import type { Hold } from './lane-hold.ts';
import { readPasts, releaseWrites, settleWrites } from './settle.ts';
import type { TargetRecord } from './target-record.ts';

/** Beyond this the lane takes nothing more until the database has caught up. */
const maxUnnoted = 1_000;
const maxInAct = 250;
/** Each act costs a commit: while the lane is busy so many ends are gathered … */
const enoughForAct = 100;
/** … for no longer than this. */
const gatherMs = 5;
const retryMs = 250;
/** When the server stops while the database is away, what was not noted is delivered again after the next start. */
const closeBudgetMs = 3_000;

/** Writes down how tries ended, many in one act. While the database is away it keeps them and tries again. */
export const createNoter = ({
  target,
  hold,
  needs,
  reservedUntil,
  onLost,
  onNoted,
  isBusy,
}: {
  target: TargetRecord;
  hold: Hold;
  needs: LaneNeeds;
  reservedUntil: () => number;
  onLost: () => void;
  /** The ends of these are written down; `mayBeDue`: that may have made other deliveries due, or these again. */
  onNoted: (ids: readonly string[], mayBeDue: boolean) => void;
  /** Many are being sent, and nobody waits for the end of one. */
  isBusy: () => boolean;
}) => {
  const { clock, log, events } = needs;
  let judgements: Judgement[] = [];
  let released: { delivery: StoredDelivery; reason: string | undefined }[] = [];
  let running: Promise<void> | undefined;
  let isLost = false;
  let isClosing = false;

  const writesOf = (ended: readonly Judgement[], back: typeof released, pasts: ReadonlyMap<string, DeliveryPast>): Write[] => {
    const now = clock.now();
    const silent = back.filter(({ reason }) => reason === undefined);
    const told = back.filter(({ reason }) => reason !== undefined);
    return [
      ...(ended.length === 0 ? [] : settleWrites(needs, target, ended, pasts)),
      ...releaseWrites(
        needs,
        target,
        silent.map(({ delivery }) => delivery),
        { now, reason: undefined },
      ),
      ...releaseWrites(
        needs,
        target,
        told.map(({ delivery }) => delivery),
        { now, reason: told[0]?.reason },
      ),
    ];
  };

  const flush = async () => {
    while (hasMore() && !isLost) {
      if (isBusy() && judgements.length < enoughForAct && !isClosing) await clock.sleep(gatherMs);
      const ended = judgements.slice(0, maxInAct);
      const back = released.slice(0, maxInAct);
      judgements = judgements.slice(ended.length);
      released = released.slice(back.length);
      try {
        const pasts = await readPasts(needs, target, ended);
        await hold.write(reservedUntil(), writesOf(ended, back, pasts));
        onNoted(
          [...ended, ...back].map(({ delivery }) => delivery.id),
          back.length > 0 || ended.some(opensOthers),
        );
        if (ended.some(({ settlement }) => settlement.state === 'dead')) events.announce();
        if (
          target.ordering === 'key' &&
          target.onDead === 'park' &&
          ended.some(({ settlement }) => settlement.state === 'dead' || settlement.state === 'parked')
        )
          needs.onBlocked(target);
      } catch (error) {
        if (error instanceof WriteRefused) {
          isLost = true;
          onLost();
          break;
        }
        judgements = [...ended, ...judgements];
        released = [...back, ...released];
        log.error({ err: error, target: target.id, unnoted: judgements.length }, 'lane.cannot-note');
        await clock.sleep(retryMs);
        if (isClosing) break;
      }
    }
  };

  /** The next of its key becomes eligible, or it is due again itself. */
  const opensOthers = ({ delivery, settlement }: Judgement) => delivery.orderingKey !== null || settlement.state !== 'delivered';

  const hasMore = () => judgements.length > 0 || released.length > 0;

  const start = () => {
    if (running || isLost || !hasMore()) return;
    running = flush().finally(() => {
      running = undefined;
      if (!isClosing) start(); // something may have come between the last look and here
    });
  };

  return {
    note(judgement: Judgement) {
      judgements.push(judgement);
      start();
    },
    /** The delivery was claimed and not tried (or nobody saw the end); it goes back to its place. */
    release(delivery: StoredDelivery, reason: string | undefined) {
      released.push({ delivery, reason });
      start();
    },
    get isBehind() {
      return judgements.length + released.length > maxUnnoted;
    },
    /** Resolves when all is noted, or the time for that is over. */
    async close() {
      start();
      const giveUpAt = clock.now() + closeBudgetMs;
      while (running && clock.now() < giveUpAt) await Promise.race([running, clock.sleep(100)]);
      isClosing = true;
    },
  };
};
