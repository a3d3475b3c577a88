import type { LaneNeeds } from './lane.ts';
import type { Hold } from './lane-hold.ts';
import { releaseWrites } from './settle.ts';
import type { TargetRecord } from './target-record.ts';

/**
 * Puts a lane in order before anything is claimed: what is under way and nobody has in hand (its owner ended, or a claim was carried out
 * whose answer got lost) goes back to its place. Whether it arrived is not known, so it goes out again.
 */
export const recoverLane = async ({
  target,
  hold,
  needs,
  inHand,
}: {
  target: TargetRecord;
  hold: Hold;
  needs: LaneNeeds;
  inHand: ReadonlySet<string>;
}): Promise<void> => {
  const { deliveries, clock } = needs;
  const mine = new Set(inHand); // as of before the look: what is noted meanwhile is no longer under way
  const left = (await deliveries.findUnderWay(target.id)).filter(({ id }) => !mine.has(id));
  const now = clock.now();
  await hold.write(0, [
    ...releaseWrites(needs, target, left, { now, reason: 'the process that was delivering it ended' }),
    deliveries.limitDueTimes(target.id, now + target.retry.maxDelayMs),
  ]);
  if (target.ordering === 'key') await recoverKeys(target, hold, needs);
};

/** Keys whose head ended while the target was changed hold what follows for ever unless somebody looks. */
const recoverKeys = async (target: TargetRecord, hold: Hold, { keys, onBlocked }: LaneNeeds) => {
  const ended = await keys.findEndedHeads(target.id, { withBlocked: target.onDead === 'skip' });
  if (ended.length > 0) await hold.write(0, keys.passOnEnded(ended));
  if (target.onDead === 'park') onBlocked(target);
};
