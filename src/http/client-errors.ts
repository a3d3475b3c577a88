import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Ids } from '../foundation/ids.ts';
import type { Log } from '../foundation/log.ts';
import { Problem } from '../foundation/problem.ts';
import { type AdmissionNeeds, edgeProblem } from './admission.ts';
import { statusTitles } from './node-http.ts';
import { problemDocument, problemHeaders, problemMediaType, refusalText } from './problem-reply.ts';
import { securityHeaderLines, securityHeaders } from './security-headers.ts';

/** An error of Node's HTTP parser; `rawPacket` is the piece that it failed on (a Buffer, where there is one). */
interface ParserError extends Error {
  readonly code: string;
  readonly rawPacket: unknown;
}

/** A socket on which an answer may be under way. Node keeps it there, and its own default handler looks at it as well. */
interface AnsweringSocket extends Socket {
  readonly _httpMessage?: { readonly headersSent: boolean; readonly req: { readonly complete: boolean }; shouldKeepAlive: boolean } | null;
}

const problemOf = ({ code, rawPacket }: ParserError): Problem => {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('timeout', 'The headers did not arrive in time.');
    case 'HPE_HEADER_OVERFLOW':
      // A first line without an end is an address that is too long.
      return Buffer.isBuffer(rawPacket) && /^[A-Z]+ /.test(rawPacket.toString('latin1', 0, 16)) && !rawPacket.includes('\n')
        ? new Problem('uri-too-long', 'The address is too long.')
        : new Problem('headers-too-large', 'All headers together may have 16 KiB.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('too-large', 'The chunk extensions of the body are too large.');
    default:
      return new Problem('bad-request', 'This is not well-formed HTTP.');
  }
};

/** A whole answer for a connection that no request came out of. */
const rawAnswer = (problem: Problem, requestId: string): string => {
  const body = JSON.stringify(problemDocument(problem, requestId));
  const headers = Object.entries(problemHeaders(problem))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  return (
    `HTTP/1.1 ${problem.status} ${statusTitles[problem.status]}\r\n${securityHeaderLines}${headers}x-request-id: ${requestId}\r\n` +
    `content-type: ${problemMediaType}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  );
};

const lingerMs = 1000;

/** Answers what never became a request (malformed HTTP, headers too slow or too large) with a problem as well, and hangs up. */
export const clientErrorHandler =
  ({ ids, log }: { ids: Ids; log: Log }) =>
  (error: ParserError, socket: AnsweringSocket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
    const { _httpMessage: answering } = socket;
    if (answering?.headersSent) {
      socket.destroy();
      return;
    }
    // What is malformed came behind a whole request, e.g. since its Content-Length was too small: that one is answered, and no other.
    if (answering?.req.complete) {
      answering.shouldKeepAlive = false;
      return;
    }
    const problem = problemOf(error);
    const requestId = ids.next('request');
    socket.end(rawAnswer(problem, requestId));
    setTimeout(() => socket.destroy(), lingerMs).unref();
    log.info(
      { requestId, status: problem.status, problem: problem.kind, code: error.code, address: socket.remoteAddress },
      'request.malformed',
    );
  };

/** Refuses an `Expect` other than `100-continue` (RFC 9110 §10.1.1); Node never makes a request of it. */
export const expectationHandler =
  ({ ids, log, isThroughEdge }: { ids: Ids; log: Log; isThroughEdge: AdmissionNeeds['isThroughEdge'] }) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    const problem = edgeProblem(request, isThroughEdge) ?? new Problem('expectation-failed', 'Only `Expect: 100-continue` is known.');
    const requestId = ids.next('request');
    const { mediaType, text } = refusalText(problem, { id: requestId, url: request.url ?? '' });
    const headers = { 'x-request-id': requestId, 'content-type': mediaType, 'content-length': Buffer.byteLength(text) };
    response.writeHead(problem.status, { ...securityHeaders, ...headers, connection: 'close' }).end(text);
    log.info({ requestId, status: problem.status, problem: problem.kind, address: request.socket.remoteAddress }, 'request.malformed');
  };
