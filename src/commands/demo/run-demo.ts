import { randomBytes } from 'node:crypto';
import { type Clock, createClock } from '../../foundation/clock.ts';
import { type ApiClient, createApiClient, UnexpectedAnswer } from './api-client.ts';
import { chooseTrace, gatherFindings } from './gather-findings.ts';
import { createHappenings } from './happenings.ts';
import { watchInterruption } from './interruption.ts';
import { type KeptSession, keepSession } from './keep-session.ts';
import { type DemoEvent, startMockSource } from './mock-source.ts';
import { startMockTarget } from './mock-target.ts';
import { accessTokenSeconds, type DemoOptions } from './options.ts';
import { introductionLines, summaryLines } from './print-summary.ts';
import { traceLines } from './print-trace.ts';
import { exitCodeFor, judgePromises } from './promises.ts';
import type { Screen } from './screen.ts';
import { startShow } from './show.ts';
import { bold, plain } from './spans.ts';
import { type ChildServer, startChildServer } from './start-child-server.ts';

const operatorName = 'demo-operator';
const brokenExitCode = 1;
const interruptedExitCode = 130;

/**
 * Runs the demo from beginning to end and resolves with the exit code: 0 when every promise held, 1 when one did not or the demo could
 * not go on, 130 when it was stopped before it began. Nothing that it started or wrote stays behind.
 */
export const runDemo = async (options: DemoOptions, { env, screen }: { env: NodeJS.ProcessEnv; screen: Screen }): Promise<number> => {
  const clock = createClock();
  const interruption = watchInterruption(clock.now);
  screen.onGone(interruption.interrupt);
  try {
    return await perform(options, { env, screen, clock, signal: interruption.signal });
  } catch (error) {
    if (interruption.signal.aborted && error === interruption.signal.reason) return interruptedExitCode;
    screen.print([[], [bold('  The demo cannot go on.')], [plain(`  ${tell(error)}`)], []]);
    return brokenExitCode;
  } finally {
    interruption.stopWatching();
  }
};

const tell = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
};

const perform = async (
  options: DemoOptions,
  { env, screen, clock, signal }: { env: NodeJS.ProcessEnv; screen: Screen; clock: Clock; signal: AbortSignal },
): Promise<number> => {
  // What was opened last is closed first, however this ends.
  await using opened = new AsyncDisposableStack();
  const events = new Map<string, DemoEvent>();
  let startAt = clock.now();
  const elapsedMs = () => clock.now() - startAt;
  const happenings = createHappenings(elapsedMs);

  const target = await startMockTarget({
    rate: options.rate,
    clock,
    chance: Math.random,
    eventOf: (id) => events.get(id),
    onAnswer: happenings.answered,
  });
  opened.defer(target.close);

  const password = randomBytes(24).toString('base64url');
  const server = await startChildServer({
    env,
    signal,
    settings: {
      ENTREPOT_OPERATOR: `${operatorName}:${password}`,
      ENTREPOT_ACCESS_TOKEN_TTL: `${accessTokenSeconds(options)}s`,
      ENTREPOT_TARGET_GRAPHQL_URL: target.url,
      ENTREPOT_TARGET_RATE: options.rateText,
    },
  });
  opened.defer(server.stop);

  const api = createApiClient(server.url);
  const operator = await keepSession({ api, credentials: { method: 'password', username: operatorName, password }, clock });
  opened.defer(operator.stop);
  const service = await createService(api, operator);
  if (!screen.isLive) screen.print(introductionLines(options, server.url));

  startAt = clock.now();
  const source = await startMockSource({ ...service, api, events, everyMs: options.eventsEveryMs, clock, onRefresh: happenings.refreshed });
  opened.defer(source.close);
  const show = startShow({ screen, clock, options, url: server.url, api, operator, source, target, happenings, elapsedMs });
  opened.defer(() => show.end());

  await waitFor(options.seconds * 1_000, { clock, signal, server });
  const ranMs = elapsedMs();
  show.takesStock();
  await source.stopSending();
  const findings = await gatherFindings({ api, operator, clock, options, source, target });
  await show.end(findings.flow);

  const trace = await chooseTrace({ api, operator, source, target, findings });
  if (trace !== undefined) screen.print([[], ...traceLines(trace, new Map([[service.id, 'the mock source']]))]);
  const verdicts = judgePromises(findings);
  screen.print([[], ...summaryLines(verdicts, { ranMs, isCutShort: signal.aborted, width: screen.width }), []]);
  const exitCode = exitCodeFor(verdicts);
  if (exitCode !== 0 && server.complaints.length > 0)
    screen.print([[bold('  What the server complained about')], ...server.complaints.map((line) => [plain(`  ${line}`)]), []]);
  return exitCode;
};

interface ServiceMade {
  readonly id: string;
  readonly authId: string;
  readonly secret: string;
}

const createService = async (api: ApiClient, operator: KeptSession): Promise<ServiceMade> => {
  const body = { name: 'mock-source', scopes: ['events:send'] };
  const answer = await api.call<ServiceMade>('POST', '/v1/services', { token: operator.token(), body });
  if (answer.status !== 201) throw new UnexpectedAnswer('POST', '/v1/services', answer);
  return answer.body;
};

/** Resolves after that time or when the demo is stopped early; rejects when the server ends, which it must not. */
const waitFor = async (
  ms: number,
  { clock, signal, server }: { clock: Clock; signal: AbortSignal; server: ChildServer },
): Promise<void> => {
  const over = new AbortController();
  const died = server.ended.then((how) => {
    throw new Error(`The server was not to end, but ${how}`);
  });
  try {
    await Promise.race([clock.sleep(ms, AbortSignal.any([signal, over.signal])), died]);
  } finally {
    over.abort();
    died.catch(() => undefined); // from here on it may end
  }
};
