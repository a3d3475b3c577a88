/** One wide line per thing handled: what happened as `message`, everything about it as fields. Never a secret, never a body. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  fatal(fields: object, message: string): void;
}

/** Says nothing; for tests and commands. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
