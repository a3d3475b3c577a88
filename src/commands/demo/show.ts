import type { Clock } from '../../foundation/clock.ts';
import type { ApiClient } from './api-client.ts';
import type { Happenings } from './happenings.ts';
import type { KeptSession } from './keep-session.ts';
import { type DemoView, liveTable, plainLine } from './live-table.ts';
import { answerLimitMs, type MockSource } from './mock-source.ts';
import { failsOneIn, type MockTarget } from './mock-target.ts';
import { type DemoOptions, plainEveryMs } from './options.ts';
import { usedShare } from './promises.ts';
import type { Screen } from './screen.ts';
import { type FlowCounts, noFlow, readFlow } from './take-stock.ts';

/** What is seen while the demo runs. */
export interface Show {
  /** The source has stopped; what is left is to count. */
  takesStock(): void;
  /** Shows no more; where there are last figures, those, and they stay. */
  end(flow?: FlowCounts): Promise<void>;
}

const drawEveryMs = 200;

/** Asks the server for its flow again and again and shows it with what source and target measure: a table in a terminal, else now and then a line. */
export const startShow = ({
  screen,
  clock,
  options,
  url,
  api,
  operator,
  source,
  target,
  happenings,
  elapsedMs,
}: {
  screen: Screen;
  clock: Clock;
  options: DemoOptions;
  url: string;
  api: ApiClient;
  operator: KeptSession;
  source: MockSource;
  target: MockTarget;
  happenings: Happenings;
  elapsedMs: () => number;
}): Show => {
  const stopping = new AbortController();
  let flow = noFlow;
  let phase: DemoView['phase'] = 'flowing';

  const view = (): DemoView => ({
    elapsedMs: elapsedMs(),
    totalMs: options.seconds * 1_000,
    phase,
    url,
    eventsEveryMs: options.eventsEveryMs,
    rate: options.rate,
    failsOneIn,
    flow,
    usedShare: usedShare({ rate: options.rate, admitted: target.arrivals.count, ...target.arrivals }),
    tightestMs: target.arrivals.tightestMs,
    refused: target.refused,
    slowestMs: source.times.slowestMs,
    medianMs: source.times.medianMs(),
    slow: source.times.slow,
    limitMs: answerLimitMs,
    refreshes: source.session.refreshes,
    refreshInMs: source.session.refreshAt - clock.now(),
    happenings: happenings.latest,
  });

  const lineEveryMs = plainEveryMs(options);
  let nextLineMs = lineEveryMs;
  const show = () => {
    if (screen.isLive) return screen.draw(liveTable(view(), screen.width));
    // The line at the end is that of the last figures.
    if (phase !== 'flowing' || elapsedMs() < nextLineMs || nextLineMs >= options.seconds * 1_000) return;
    nextLineMs += lineEveryMs;
    screen.print([plainLine(view())]);
  };

  const run = async () => {
    while (!stopping.signal.aborted) {
      // A server that does not answer is found out by the source, and at the end.
      flow = await readFlow(api, operator.token()).catch(() => flow);
      if (stopping.signal.aborted) return;
      show();
      await clock.sleep(drawEveryMs, stopping.signal);
    }
  };
  const ended = run();

  return {
    takesStock() {
      phase = 'taking stock';
    },
    async end(last) {
      stopping.abort();
      await ended;
      if (last === undefined) return;
      flow = last;
      phase = 'over';
      if (screen.isLive) screen.draw(liveTable(view(), screen.width));
      else screen.print([plainLine(view())]);
    },
  };
};
