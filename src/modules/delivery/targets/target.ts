import type { TSchema } from 'typebox';
import type { Outbound } from './outbound-http.ts';

/** How one try went, judged. */
export type Outcome =
  /** The target has it. */
  | { outcome: 'delivered'; status?: number }
  /** The item's fault: no further try would help, it is dead at once. */
  | { outcome: 'refused'; status?: number; reason: string }
  /** Retried; spends an attempt. */
  | { outcome: 'failed'; status?: number; reason: string }
  /** The lane waits and no attempt is spent. `retryAfterMs` is what the target asked for, above 0 and at most 1 h; absent when it named no time. */
  | { outcome: 'throttled'; status?: number; reason: string; retryAfterMs?: number }
  /** The target asks for no more: it is paused, and the delivery tried again later. */
  | { outcome: 'gone'; status: number; reason: string };

/** One try of one delivery. */
export interface Sending {
  /** The same on every try and replay, so that the target can recognise what it has already. */
  readonly deliveryId: string;
  readonly factId: string;
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly occurredAt: number;
  /** Milliseconds since 1970: when this try was made. */
  readonly attemptAt: number;
  /** JSON text of the event, merged and transformed; it goes out as it stands, never parsed and printed again. */
  readonly content: string;
  /** W3C Trace Context of the request that brought the event in. */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** For connecting, sending and reading together. */
  readonly timeoutMs: number;
  /** Called at most once, right after the request was written to a connected socket, in the same turn; never when no connection came about. */
  onSent(): void;
}

/** How a try went, and the first 1 KiB of what the target answered, which only a test by hand shows. */
export type Judged = Outcome & { responseBody?: string };

/** Something that deliveries go to. */
export interface Target {
  /** Never rejects: every failure is an outcome. Resolves within `timeoutMs`, or soon after the signal was given, with `failed`. */
  send(sending: Sending, signal: AbortSignal): Promise<Judged>;
  /** Resolves when nothing is held any more. */
  close(): Promise<void>;
}

/** A target's settings as its kind completed them: a JSON object that is stored sealed, since it holds secrets. */
export type TargetConfig = Readonly<Record<string, unknown>>;

/** What stands where `show` hides a value. Given back to `complete` with the config before, it means "as it was". */
export const hiddenValue = '[secret]';

/** What a changed config takes the place of. */
export interface ConfigChange {
  readonly before: TargetConfig;
  /** Milliseconds since 1970: from here on the new one counts. */
  readonly at: number;
}

/** A way of delivering. */
export interface TargetKind {
  readonly kind: 'graphql' | 'webhook';
  /** What a caller may give as `config`. */
  readonly configSchema: TSchema;
  /**
   * Checks what a caller gave and fills in the rest (defaults, a webhook's secret). Throws Problem `bad-body` naming each fault under `/config`.
   * For a change, `config` is what `show(before)` gave with the change merged in. `shownOnce` are members that only the answer to this request shows.
   */
  complete(config: unknown, change?: ConfigChange): { config: TargetConfig; shownOnce?: Readonly<Record<string, unknown>> };
  /** The config as GET shows it: defaults filled in, secrets and header values hidden. */
  show(config: TargetConfig): Record<string, unknown>;
  /** Opens nothing yet. Throws when the stored config is damaged. */
  open(config: TargetConfig, outbound: Outbound): Target;
}
