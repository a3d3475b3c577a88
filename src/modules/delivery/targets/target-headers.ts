import type { Fault } from '../../../foundation/problem.ts';
import type { Sending } from './target.ts';

const maxHeaders = 32;
const maxAllBytes = 8 * 1024;

/** Ours, or a matter between two machines on the line. */
const protocolHeaders: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'http2-settings'],
  ...['content-type', 'content-length', 'content-encoding', 'accept', 'accept-encoding', 'idempotency-key', 'traceparent', 'tracestate'],
]);

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/; // RFC 9110 §5.6.2
const visible = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/; // what every server reads alike; no line ends, so nothing can be slipped in

/** Everything that is wrong with configured headers. Values are never repeated: they may be secrets. */
export const headerFaults = (headers: Readonly<Record<string, string>>): Fault[] => {
  const faults: Fault[] = [];
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    const at = `/config/headers/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!token.test(name)) faults.push({ in: 'body', at, why: 'is not a header name' });
    else if (protocolHeaders.has(lower)) faults.push({ in: 'body', at, why: 'is set by the protocol and cannot be configured' });
    else if (seen.has(lower)) faults.push({ in: 'body', at, why: 'is there twice' });
    else if (!visible.test(value))
      faults.push({ in: 'body', at, why: 'must be visible ASCII characters, with single spaces or tabs only between them' });
    seen.add(lower);
  }
  const bytes = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (seen.size > maxHeaders || bytes > maxAllBytes)
    faults.push({ in: 'body', at: '/config/headers', why: 'may be 32 headers of 8 KiB in all' });
  return faults;
};

const isTraceparent = (text: string) => /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/.test(text);
const isTracestate = (text: string) => text.length <= 512 && visible.test(text);

/** The W3C Trace Context of the request that brought the event in, so that the target's spans join its trace. Malformed ones are left out. */
export const traceHeaders = ({ traceparent, tracestate }: Pick<Sending, 'traceparent' | 'tracestate'>): Record<string, string> => {
  if (traceparent === undefined || !isTraceparent(traceparent)) return {};
  return tracestate === undefined || !isTracestate(tracestate) ? { traceparent } : { traceparent, tracestate };
};
