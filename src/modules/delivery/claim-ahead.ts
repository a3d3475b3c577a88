import type { FactToSend } from '../events/events.ts';

/** A lane claims at most so many more than it sends at once, since a claim costs about the same for one as for many … */
const mostAhead = 256;
/** … but where events are large so few that their contents, as long as the last ones were, are no more than so many characters. */
const charactersAhead = 4 * 1024 * 1024;
const leastAhead = 64;

/** How many deliveries a lane takes into its memory: enough that no connection waits for the database, and no more than about 4 MiB of contents. */
export const createClaimAhead = (concurrency: number) => {
  let ahead = leastAhead;
  return {
    /** Up to so many may be in hand. */
    get most() {
      return concurrency + Math.max(concurrency, ahead);
    },
    /** While there is enough to send, more is claimed only when there is room for so many. */
    get worthwhile() {
      return ahead / 2;
    },
    /** What was claimed last is what will come next. */
    learn(facts: Iterable<Pick<FactToSend, 'content'>>) {
      let count = 0;
      let characters = 0;
      for (const { content } of facts) {
        count += 1;
        characters += content.length;
      }
      if (count > 0) ahead = Math.max(leastAhead, Math.min(mostAhead, Math.floor((charactersAhead * count) / characters)));
    },
  };
};
