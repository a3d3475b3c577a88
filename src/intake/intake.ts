/** An event on its way to being durable. Everything about it was checked before. */
export interface IncomingEvent {
  /** Our id of the fact, made when the event came in. */
  readonly factId: string;
  readonly tenantId: string;
  readonly senderId: string;
  /** The CloudEvents `source`, else the sender's id. */
  readonly source: string;
  readonly eventId: string;
  /** What it is routed by. */
  readonly type: string;
  readonly orderingKey: string | undefined;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  /** The JSON object exactly as it was sent. */
  readonly content: string;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** What became of an event: `receivedAt` is that of the first time it came. */
export interface IntakeReceipt {
  readonly isDuplicate: boolean;
  readonly receivedAt: number;
}

/** The place where events end up, as intakes need it. */
export interface FactWriter {
  /** Writes all events in one durable transaction; resolves with a receipt for each, in order. */
  writeEvents(events: readonly IncomingEvent[]): Promise<readonly IntakeReceipt[]>;
}

/** How an event becomes durable. */
export interface Intake {
  /**
   * Resolves, with a receipt for each event in order, when all of them would survive a power cut; either all are taken or none.
   * Rejects with `Unavailable` when that cannot be done in time; the events may then be there nevertheless, and sending them again is safe.
   */
  append(events: readonly IncomingEvent[]): Promise<readonly IntakeReceipt[]>;
  /** Resolves when everything that was being appended has ended. */
  close(): Promise<void>;
}
