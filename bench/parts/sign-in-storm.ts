import { setTimeout as sleep } from 'node:timers/promises';
import { type Latency, latencyOf } from './figures.ts';
import { serveProgram } from './program.ts';

// Signs in with wrong passwords, so many a second whatever comes back, each time with another name from another address: no limit of a
// name or an address holds it off.

export interface StormJob {
  readonly url: string;
  readonly perSecond: number;
  readonly seconds: number;
}

export interface StormResult {
  readonly sent: number;
  /** How many answers there were of each status. */
  readonly answers: Readonly<Record<string, number>>;
  readonly latency: Latency;
}

const storm = async ({ url, perSecond, seconds }: StormJob): Promise<StormResult> => {
  const answers: Record<string, number> = {};
  const times: number[] = [];
  const trySignIn = async (number: number) => {
    const startedAt = performance.now();
    const response = await fetch(`${url}/v1/sessions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-forwarded-for': `198.${18 + ((number >> 16) & 1)}.${(number >> 8) & 255}.${number & 255}`,
      },
      body: JSON.stringify({ method: 'password', username: `nobody-${number}`, password: 'not the right one' }),
    });
    await response.arrayBuffer();
    times.push(performance.now() - startedAt);
    answers[response.status] = (answers[response.status] ?? 0) + 1;
  };
  const startedAt = performance.now();
  const running: Promise<void>[] = [];
  for (let number = 0; number < perSecond * seconds; number += 1) {
    await sleep(Math.max(0, startedAt + (number * 1000) / perSecond - performance.now()));
    running.push(trySignIn(number));
  }
  await Promise.all(running);
  return { sent: running.length, answers, latency: latencyOf(times) };
};

serveProgram<StormJob, StormResult>({}, storm);
