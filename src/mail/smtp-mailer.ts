import { createRequire } from 'node:module';
import type { SMTPTransportOptions } from 'nodemailer/lib/smtp-transport';
import { Unavailable } from '../foundation/problem.ts';
import { type Mailer, MailRefused } from './mailer.ts';

// Loaded with the first mail: a server that sends none should not keep the code of a mail client in memory.
const require = createRequire(import.meta.url);
const loadNodemailer = () => require('nodemailer') as typeof import('nodemailer');

/** How long a mail server may take for each step, and for a whole mail. */
export interface SmtpTimes {
  readonly connectMs: number;
  readonly greetingMs: number;
  /** Without a byte from the server. */
  readonly silenceMs: number;
  readonly wholeMs: number;
}

const usualTimes: SmtpTimes = { connectMs: 10_000, greetingMs: 10_000, silenceMs: 20_000, wholeMs: 30_000 };

/**
 * Hands mails to the server of an `smtp://` or `smtps://` URL, over a connection of its own for each: mails are rare. `smtps` is TLS from
 * the first byte. `smtp` takes TLS where the server offers it (RFC 3207); its certificate is checked with `?tls=required` alone, since
 * whoever could forge it could as well suppress the offer.
 */
export const createSmtpMailer = ({ url, from, times = usualTimes }: { url: string; from: string; times?: SmtpTimes }): Mailer => {
  let opened: ReturnType<ReturnType<typeof loadNodemailer>['createTransport']> | undefined;
  const transport = () => {
    opened ??= loadNodemailer().createTransport(optionsOf(url, times));
    return opened;
  };
  const closing = new AbortController();

  return {
    async send({ to, subject, text }, signal) {
      if (!isPlainAddress(to)) throw new MailRefused('The recipient is no mail address.');
      const signals = [closing.signal, AbortSignal.timeout(times.wholeMs), ...(signal === undefined ? [] : [signal])];
      try {
        await transport().sendMail({
          from,
          // An object, not a text that would be read as a list of addresses.
          to: { name: '', address: to },
          subject: oneLine(subject),
          text,
          headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834: nobody's absence note answers it
          disableFileAccess: true,
          disableUrlAccess: true,
          signal: AbortSignal.any(signals),
        });
      } catch (error) {
        throw translated(error);
      }
    },

    async check() {
      try {
        await transport().verify();
      } catch (error) {
        throw translated(error);
      }
    },

    async close() {
      closing.abort();
      opened?.close();
    },
  };
};

const optionsOf = (urlText: string, times: SmtpTimes): SMTPTransportOptions => {
  const url = new URL(urlText);
  const isSecure = url.protocol === 'smtps:';
  const isRequired = url.searchParams.get('tls') === 'required';
  const { username, password } = url;
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (isSecure ? 465 : 587) : Number(url.port),
    secure: isSecure,
    requireTLS: isRequired,
    tls: { rejectUnauthorized: isSecure || isRequired },
    ...(username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    connectionTimeout: times.connectMs,
    dnsTimeout: times.connectMs,
    greetingTimeout: times.greetingMs,
    socketTimeout: times.silenceMs,
    logger: false,
  };
};

/** One address, and nothing that could end a header or a command. */
const isPlainAddress = (text: string): boolean => /^[^\s@<>,;:"\p{C}\p{Z}]+@[^\s@<>,;:"\p{C}\p{Z}]+$/u.test(text);

const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');

/** What the mail client says of a failure. */
interface SmtpFailure {
  readonly code?: string;
  readonly command?: string;
  readonly responseCode?: number;
}

/** The steps in which a 5xx is about this recipient or this mail, and not about us (RFC 5321 §4.2.1). */
const stepsOfMail: ReadonlySet<string> = new Set(['RCPT TO', 'DATA']);

/** Tells the step and the number only: what the server wrote may repeat the mail, and that carries tokens. */
const translated = (error: unknown): Error => {
  const { code = 'failed', command = 'connecting', responseCode } = error as SmtpFailure; // all may be absent
  const told = `${code}${responseCode === undefined ? '' : ` ${responseCode}`} (${command})`;
  if (responseCode !== undefined && responseCode >= 500 && stepsOfMail.has(command)) {
    return new MailRefused(`The mail server refuses the mail: ${told}.`);
  }
  return new Unavailable(`The mail server cannot take the mail: ${told}.`);
};
