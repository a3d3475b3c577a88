import type { AddressInfo } from 'node:net';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

/** A mail as the server got it. */
export interface MailReceived {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  /** Header lines, names in lower case. */
  readonly headers: ReadonlyMap<string, unknown>;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
}

export interface MailServerOptions {
  readonly port?: number;
  /** Offers STARTTLS, or speaks TLS from the first byte; neither without it. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly isFromStart?: boolean };
  /** Who may send; everybody without it. */
  readonly user?: { readonly name: string; readonly password: string };
  /** The status and text with which a recipient or a mail is refused. */
  readonly refuse?: { readonly at: 'sender' | 'recipient' | 'data'; readonly status: number; readonly text?: string };
  /** Greets nobody. */
  readonly isSilent?: boolean;
}

export interface MailServer {
  readonly port: number;
  readonly mails: readonly MailReceived[];
  /**
   * Resolves with the first mail to `address` behind the first `seen` ones; rejects after 100 s, since a mail that was being sent when its
   * server was killed is left alone for a minute.
   */
  mailTo(address: string, seen?: number): Promise<MailReceived>;
  stop(): Promise<void>;
}

/** A real SMTP server on the loopback address. */
export const startMailServer = async ({ port = 0, tls, user, refuse, isSilent = false }: MailServerOptions = {}): Promise<MailServer> => {
  const mails: MailReceived[] = [];
  const refusalAt = (place: string) =>
    refuse?.at === place ? Object.assign(new Error(refuse.text ?? 'no'), { responseCode: refuse.status }) : null;

  const server = new SMTPServer({
    ...(tls === undefined ? {} : { key: tls.key, cert: tls.cert, secure: tls.isFromStart === true }),
    disabledCommands: [...(tls === undefined ? ['STARTTLS'] : []), ...(user === undefined ? ['AUTH'] : [])],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    logger: false,
    onConnect: (_session, done) => (isSilent ? undefined : done()),
    onAuth: ({ username, password }, _session, done) =>
      username === user?.name && password === user?.password ? done(null, { user: username }) : done(new Error('wrong')),
    onMailFrom: (_address, _session, done) => done(refusalAt('sender')),
    onRcptTo: (_address, _session, done) => done(refusalAt('recipient')),
    onData(stream, session, done) {
      simpleParser(stream).then((parsed) => {
        const refusal = refusalAt('data');
        if (refusal !== null) return done(refusal);
        mails.push({
          from: session.envelope.mailFrom === false ? '' : session.envelope.mailFrom.address,
          to: session.envelope.rcptTo.map(({ address }) => address),
          subject: parsed.subject ?? '',
          text: parsed.text ?? '',
          headers: parsed.headers,
          isEncrypted: session.secure,
          user: typeof session.user === 'string' ? session.user : undefined,
        });
        done();
      }, done);
    },
  });
  server.on('error', () => undefined); // a client that goes away in the middle is a part of the tests
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.server.address() as AddressInfo; // it listens on a port

  return {
    port: address.port,
    mails,
    async mailTo(wanted, seen = 0) {
      for (let tries = 0; tries < 2_000; tries += 1) {
        const found = mails.filter(({ to }) => to.includes(wanted))[seen];
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`No mail came for ${wanted}.`);
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
