/** Our own refusal to connect, told apart from what the network says. */
export class AddressRefused extends Error {
  readonly refusal: string;

  constructor(hostname: string, refusal: string) {
    super(`The address of ${hostname} ${refusal}.`);
    this.name = 'AddressRefused';
    this.refusal = refusal;
  }
}

/** What the codes of Node, OpenSSL and undici mean to the operator of a target. */
const meanings: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed while sending',
  UND_ERR_SOCKET: 'the connection was closed without a whole answer',
  UND_ERR_CONNECT_TIMEOUT: 'no connection came about',
  ETIMEDOUT: 'no connection came about',
  EHOSTUNREACH: 'the address cannot be reached',
  ENETUNREACH: 'the address cannot be reached',
  EHOSTDOWN: 'the address cannot be reached',
  EADDRNOTAVAIL: 'the address cannot be reached',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the answer is not as long as it says',
  UND_ERR_INVALID_ARG: 'the request cannot be sent as configured',
  EPROTO: 'TLS failed',
};

const certificateFaults = /^(CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/;
const nameFaults = /^(ENOTFOUND|EAI_|ENODATA|ESERVFAIL|ETIMEOUT|ENONAME)/;

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '');

/** Why no whole answer came, as a sentence without addresses that only the inside of a network should know. */
export const failureOf = (error: Error, hostname: string): string => {
  const code = codeOf(error);
  if (error instanceof AddressRefused) return error.message;
  if (nameFaults.test(code)) return `The name ${hostname} does not resolve (${code}).`;
  if (certificateFaults.test(code)) return `The certificate of ${hostname} is not accepted (${code}).`;
  if (error.name === 'HTTPParserError') return `The answer of ${hostname} is not HTTP.`;
  if (code.startsWith('ERR_SSL_')) return `TLS failed with ${hostname} (${code}).`;
  const meaning = meanings[code] ?? 'for a reason without a name of ours';
  return `The request to ${hostname} failed: ${meaning} (${code === '' ? error.name : code}).`;
};
