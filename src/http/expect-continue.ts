import type { IncomingMessage, ServerResponse } from 'node:http';

// `Expect: 100-continue` (RFC 9110 §10.1.1): the client sends the head and waits, so that a body that will be refused is never sent.

/** What has to be done before the client sends the body of a request. */
const waiting = new WeakMap<IncomingMessage, () => void>();

const saysItHasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/**
 * Hands the request on without the `100 Continue` that Node would send at once; `letBodyCome` sends it. An answer before that closes the
 * connection: it could not be known whether what comes next is the body or another request.
 */
export const continueHandler =
  (server: { emit(event: 'request', request: IncomingMessage, response: ServerResponse): boolean }) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    if (saysItHasBody(request)) {
      const { shouldKeepAlive } = response;
      response.shouldKeepAlive = false;
      waiting.set(request, () => {
        response.shouldKeepAlive = shouldKeepAlive;
        response.writeContinue();
      });
    }
    server.emit('request', request, response);
  };

/** Called by whoever reads the body of a request, when it begins to: everything that could be refused without the body has been. */
export const letBodyCome = (request: IncomingMessage): void => {
  const send = waiting.get(request);
  if (send === undefined) return;
  waiting.delete(request);
  send();
};
