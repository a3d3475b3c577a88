const headEnd = Buffer.from('\r\n\r\n');

/**
 * Cuts what arrives on a connection into whole HTTP/1.1 messages that have a Content-Length or no body. Only for the two ends of a
 * measurement: it knows no chunks and checks nothing, and costs a tenth of a real parser.
 */
export const createMessageReader = (onMessage: (head: string) => void) => {
  let parts: Buffer[] = [];
  let arrived = 0;
  let head = '';
  let wanted: number | undefined;

  const readHead = (bytes: Buffer) => {
    const end = bytes.indexOf(headEnd);
    if (end === -1) return;
    head = bytes.toString('latin1', 0, end);
    const [, length = '0'] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
    wanted = end + headEnd.length + Number(length);
  };

  return (chunk: Buffer): void => {
    arrived += chunk.length;
    parts.push(chunk);
    if (wanted === undefined) readHead(parts.length === 1 ? chunk : Buffer.concat(parts));
    if (wanted === undefined || arrived < wanted) return;
    const message = head;
    const rest = arrived > wanted ? Buffer.concat(parts).subarray(wanted) : undefined;
    parts = [];
    arrived = 0;
    wanted = undefined;
    onMessage(message);
    if (rest !== undefined) throw new Error(`${rest.length} bytes more than a message: pipelining is not expected here.`);
  };
};
