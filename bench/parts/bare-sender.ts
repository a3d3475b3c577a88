import { Agent } from 'undici';
import { type Latency, latencyOf } from './figures.ts';
import { serveProgram } from './program.ts';
import { sampleEvent } from './sample-event.ts';

// What it costs to send at all: a loop over the HTTP client that the server uses, so many requests in flight, from memory, noting nothing.

export interface SendJob {
  readonly url: string;
  readonly requests: number;
  readonly inFlight: number;
}

export interface SendResult {
  readonly seconds: number;
  readonly latency: Latency;
}

const mutation = 'mutation ProcessEvent($input: ProcessEventInput!) { processEvent(input: $input) { id } }';

serveProgram<SendJob, SendResult>({}, async ({ url, requests, inFlight }) => {
  const agent = new Agent({ pipelining: 1, connections: inFlight });
  const { origin, pathname: path } = new URL(url);
  const times: number[] = [];
  let started = 0;
  const startedAt = performance.now();
  const send = async () => {
    while (started < requests) {
      started += 1;
      const sentAt = performance.now();
      const { body } = await agent.request({
        origin,
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"query":${JSON.stringify(mutation)},"variables":{"input":${sampleEvent(`bare-${started}`)}}}`,
      });
      await body.text();
      times.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, send));
  const seconds = (performance.now() - startedAt) / 1000;
  await agent.close();
  return { seconds, latency: latencyOf(times) };
});
