/**
 * Node's own `http`, fetched and not imported: an `import` of it reads all that it exports, and with that loads Node's second HTTP client
 * (the one behind `fetch`), 2 MiB of an idle server's memory that nothing here needs.
 */
const http = process.getBuiltinModule('node:http');

/** A server for a single address, beside the one of the whole API. */
export const createPlainServer = http.createServer;

/** The title of each status, as RFC 9110 has it. */
export const statusTitles = http.STATUS_CODES;
