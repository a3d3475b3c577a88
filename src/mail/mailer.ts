/** A mail to one person, as plain text. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** The mail will never be taken: its address does not exist or is no address. Sending it again is in vain. */
export class MailRefused extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'MailRefused';
  }
}

/** How mails leave. */
export interface Mailer {
  /**
   * Resolves when the next mail server has taken the mail. Rejects with `MailRefused` when it never will, and with `Unavailable` when it
   * may be tried again later. No header of the mail can be changed by what stands in it.
   */
  send(mail: Mail, signal?: AbortSignal): Promise<void>;
  /** Resolves when mails would be taken now; rejects with the reason. */
  check(): Promise<void>;
  close(): Promise<void>;
}
