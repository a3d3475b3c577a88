import { Problem } from '../foundation/problem.ts';
import { type PartHead, readPartHead } from './part-headers.ts';

/** Reads a form part by part: a pull, so that nothing is read from the client before somebody wants it. */
export interface FormParts {
  /** The head of the next part; `undefined` behind the last one, when the whole body was read. The part before must have been read to its end. */
  nextPart(): Promise<PartHead | undefined>;
  /** The next bytes of the part, never none; `undefined` at its end. */
  nextBytes(): Promise<Buffer | undefined>;
}

const maxHeadBytes = 16 * 1024;
const maxHeadLines = 32;
/** What may stand before the first part and behind the last one (RFC 2046 §5.1.1), where nobody has anything to say. */
const maxAroundBytes = 16 * 1024;

const lineEnd = Buffer.from('\r\n');
const carriageReturn = 13;

/** The boundary of a form's content type. Throws `bad-request` where it has none. */
export const boundaryOf = (contentType: string | undefined): string => {
  const [, quoted, token] = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^\s";]+))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined || !/^[ -~]{0,69}[!-~]$/.test(boundary))
    throw new Problem('bad-request', 'The Content-Type of a form must have a boundary of 1 to 70 characters.');
  return boundary;
};

const malformed = (why: string): Problem => new Problem('bad-request', `The form is malformed: ${why}.`);

/** `source` gives the body in whatever chunks. Everything rejects with `bad-request` where the form is not one, or breaks off. */
export const createFormParts = (source: AsyncIterator<Buffer>, boundary: string): FormParts => {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The line end before the first delimiter may be missing.
  let pending: Buffer = lineEnd;
  let place: 'before' | 'in-part' | 'behind-part' = 'before';

  const pull = async (): Promise<void> => {
    const next = await source.next();
    if (next.done) throw malformed('it ends before its last boundary');
    pending = pending.length === 0 ? next.value : Buffer.concat([pending, next.value]);
  };

  /** How many of the last bytes may be the beginning of a delimiter. */
  const openEnd = (): number => {
    for (let length = Math.min(pending.length, delimiter.length - 1); length > 0; length -= 1) {
      const from = pending.length - length;
      if (pending[from] === carriageReturn && delimiter.compare(pending, from, pending.length, 0, length) === 0) return length;
    }
    return 0;
  };

  /** Bytes up to the next delimiter; `undefined` when that has been read. */
  const upToDelimiter = async (): Promise<Buffer | undefined> => {
    for (;;) {
      const at = pending.indexOf(delimiter);
      if (at === 0) {
        pending = pending.subarray(delimiter.length);
        return undefined;
      }
      const sure = at > 0 ? at : pending.length - openEnd();
      if (sure > 0) {
        const bytes = pending.subarray(0, sure);
        pending = pending.subarray(sure);
        return bytes;
      }
      await pull();
    }
  };

  const readLine = async (limit: number): Promise<Buffer> => {
    for (;;) {
      const at = pending.indexOf(lineEnd);
      if (at > limit || (at < 0 && pending.length - 1 > limit)) throw malformed('the headers of a part are too long');
      if (at >= 0) {
        const line = pending.subarray(0, at);
        pending = pending.subarray(at + lineEnd.length);
        return line;
      }
      await pull();
    }
  };

  /** Whether the delimiter that was just read is the last one. */
  const isLast = async (): Promise<boolean> => {
    while (pending.length < 2) await pull();
    if (pending.toString('latin1', 0, 2) === '--') return true;
    const padding = await readLine(maxHeadBytes);
    if (!/^[ \t]*$/.test(padding.toString('latin1'))) throw malformed('a boundary goes on after its end');
    return false;
  };

  const skipEpilogue = async () => {
    let bytes = pending.length;
    for (;;) {
      if (bytes > maxAroundBytes) throw malformed('it goes on after its last boundary');
      const next = await source.next();
      if (next.done) return;
      bytes += next.value.length;
    }
  };

  const readHead = async (): Promise<PartHead> => {
    const lines: Buffer[] = [];
    let left = maxHeadBytes;
    for (let line = await readLine(left); line.length > 0; line = await readLine(left)) {
      left -= line.length;
      lines.push(line);
      if (lines.length > maxHeadLines) throw malformed('a part has too many headers');
    }
    return readPartHead(lines);
  };

  const skipPreamble = async () => {
    let bytes = 0;
    for (let some = await upToDelimiter(); some !== undefined; some = await upToDelimiter()) {
      bytes += some.length;
      if (bytes > maxAroundBytes) throw malformed('it does not begin with its boundary');
    }
  };

  return {
    async nextPart() {
      if (place === 'in-part') throw new Error('The part before has not been read to its end.');
      if (place === 'before') await skipPreamble();
      if (await isLast()) {
        await skipEpilogue();
        return undefined;
      }
      const head = await readHead();
      place = 'in-part';
      return head;
    },
    async nextBytes() {
      const bytes = place === 'in-part' ? await upToDelimiter() : undefined;
      if (bytes === undefined) place = 'behind-part';
      return bytes;
    },
  };
};
