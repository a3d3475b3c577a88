import { createRequire } from 'node:module';
import { Unavailable } from '../../../foundation/problem.ts';

/** A small answer, read as a whole. */
export interface SmallAnswer {
  readonly status: number;
  /** What its content type says. */
  readonly isJson: boolean;
  readonly body: string;
}

export interface SmallGet {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole of it: resolving, connecting, reading. */
  readonly timeLimitMs: number;
  readonly maxBytes: number;
}

// The client is loaded with the first request that goes out: most servers ask nobody about their callers.
const require = createRequire(import.meta.url);
const loadClient = () => require('undici') as typeof import('undici');

/** Asks an address that the operator chose. Follows no redirect. Rejects with `Unavailable` when there is no whole answer within the limits. */
export const getSmall = async ({ url, headers = {}, timeLimitMs, maxBytes }: SmallGet): Promise<SmallAnswer> => {
  try {
    const {
      statusCode,
      headers: given,
      body,
    } = await loadClient().request(url, {
      headers: { accept: 'application/json', ...headers },
      signal: AbortSignal.timeout(timeLimitMs),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    // Breaking off destroys the body, and with it the connection.
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new Error(`The answer has more than ${maxBytes} bytes.`);
      chunks.push(chunk);
    }
    const isJson = /^application\/(?:[\w.-]+\+)?json\b/i.test(String(given['content-type'] ?? ''));
    return { status: statusCode, isJson, body: Buffer.concat(chunks).toString('utf8') };
  } catch (cause) {
    throw new Unavailable(`There is no answer from ${hostOf(url)}.`, { retryAfterMs: 2_000, cause });
  }
};

/** Without the path and query, which may tell more than a log should hold. */
const hostOf = (url: string): string => URL.parse(url)?.host ?? 'that address';
