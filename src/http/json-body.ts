import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isDeeperThan } from '../foundation/json-text.ts';
import { Problem } from '../foundation/problem.ts';
import { letBodyCome } from './expect-continue.ts';
import { findJsonFault } from './json-fault.ts';
import { checkMediaType, isBodyless } from './media-types.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The text of a JSON body, exactly as it came. */
    rawBody: string | undefined;
  }
}

const deepest = 32;

type Done<Result> = (error: Error | null, result?: Result) => void;

/** A size as people read it, e.g. `10 MiB`. */
const sizeText = (bytes: number): string => {
  if (bytes >= 2 ** 20) return `${+(bytes / 2 ** 20).toFixed(1)} MiB`;
  return bytes >= 1024 ? `${+(bytes / 1024).toFixed(1)} KiB` : `${bytes} bytes`;
};

export const tooLarge = (limitBytes: number): Problem =>
  new Problem('too-large', `The body may have up to ${sizeText(limitBytes)}.`, { members: { limit: limitBytes } });

export const tooSlow = (limitMs: number): Problem => new Problem('timeout', `The body did not arrive within ${limitMs / 1000} s.`);

/** Reads a whole body into memory: up to `limitBytes` (counted, whatever Content-Length says) and within `limitMs`. */
const readBody = (payload: IncomingMessage, limitBytes: number, limitMs: number, done: Done<Buffer>) => {
  if (Number(payload.headers['content-length']) > limitBytes) return done(tooLarge(limitBytes));
  const chunks: Buffer[] = [];
  let size = 0;

  const refuse = (problem: Problem) => {
    clearTimeout(timer);
    payload.off('data', onData).off('end', onEnd).off('error', onCut);
    payload.on('error', () => undefined); // the rest is dropped, and may be cut off
    done(problem);
  };
  const onData = (chunk: Buffer) => {
    size += chunk.length;
    if (size > limitBytes) refuse(tooLarge(limitBytes));
    else chunks.push(chunk);
  };
  const onEnd = () => {
    clearTimeout(timer);
    const [first] = chunks;
    done(null, chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, size));
  };
  const onCut = () => refuse(new Problem('bad-request', 'The body was cut off.'));
  const timer = setTimeout(() => refuse(tooSlow(limitMs)), limitMs);
  letBodyCome(payload);
  payload.on('data', onData).on('end', onEnd).on('error', onCut);
};

const badJson = (text: string): Problem => {
  const fault = findJsonFault(text);
  if (fault === undefined) return new Problem('bad-json', 'The body is not valid JSON.');
  const line = text.slice(0, fault.position).split('\n');
  const column = (line.at(-1)?.length ?? 0) + 1;
  return new Problem(
    'bad-json',
    `The body is not valid JSON: at position ${fault.position} (line ${line.length}, column ${column}) ${fault.why}.`,
    {
      members: { position: fault.position },
    },
  );
};

const byteOrderMark = '\ufeff';

/** The text and value of a JSON body. A member named `__proto__` is an own member like any other and changes no prototype. */
const parseBody = (bytes: Buffer): { text: string; value: unknown } => {
  if (!isUtf8(bytes)) throw new Problem('bad-json', 'The body is not UTF-8.');
  const decoded = bytes.toString('utf8');
  const text = decoded.startsWith(byteOrderMark) ? decoded.slice(1) : decoded; // RFC 8259 §8.1: may be ignored
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badJson(text);
  }
  if (isDeeperThan(value, deepest)) throw new Problem('bad-json', `The body is nested deeper than ${deepest} levels.`);
  return { text, value };
};

/**
 * Takes application/json and every `…+json` that the route declares. The body is the parsed value and `rawBody` its text; an empty
 * body is none at all. `limitMs` is for the whole body: who sends it byte by byte gets 408.
 */
export const addJsonBodies = (app: FastifyInstance, limitMs: number): void => {
  app.decorateRequest('rawBody', undefined);
  app.removeAllContentTypeParsers();
  const parse = (request: FastifyRequest, payload: IncomingMessage, done: Done<unknown>) => {
    if (isBodyless(request)) return done(null, undefined);
    const { bodyLimit, config } = request.routeOptions;
    checkMediaType(request, config);
    readBody(payload, bodyLimit, limitMs, (error, bytes = Buffer.alloc(0)) => {
      if (error !== null || bytes.length === 0) return done(error, undefined);
      try {
        const { text, value } = parseBody(bytes);
        request.rawBody = text;
        done(null, value);
      } catch (fault) {
        done(fault as Problem); // parseBody throws nothing else
      }
    });
  };
  app.addContentTypeParser('application/json', parse);
  app.addContentTypeParser(/^application\/[\w.!#$&^-]+\+json(?:;|$)/, parse);
};
