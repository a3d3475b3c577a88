/** An answer of the server, with how long it took. */
export interface ApiAnswer<Body> {
  readonly status: number;
  readonly body: Body;
  /** From the first byte sent to the last one read. */
  readonly ms: number;
}

export interface ApiCall {
  readonly body?: unknown;
  readonly token?: string;
  readonly timeoutMs?: number;
}

/** The server's API as any program would call it: plain HTTP and JSON. */
export interface ApiClient {
  /** Rejects only when there is no whole answer in time. `Body` is the caller's word for what the route answers. */
  call<Body>(method: string, path: string, options?: ApiCall): Promise<ApiAnswer<Body>>;
  /** The same, but an answer that is no 2xx rejects too, with the problem's detail. */
  get<Body>(path: string, token: string): Promise<Body>;
}

/** An answer that the demo cannot go on with. */
export class UnexpectedAnswer extends Error {
  constructor(method: string, path: string, { status, body }: ApiAnswer<unknown>) {
    super(`${method} ${path} was answered with ${status}: ${JSON.stringify(body)?.slice(0, 300)}`);
    this.name = 'UnexpectedAnswer';
  }
}

const defaultTimeoutMs = 10_000;

export const createApiClient = (url: string): ApiClient => {
  const call = async <Body>(method: string, path: string, { body, token, timeoutMs = defaultTimeoutMs }: ApiCall = {}) => {
    const startedAt = performance.now();
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    const ms = performance.now() - startedAt;
    // Our own server's answer to a route that the caller names: its schema is checked there.
    return { status: response.status, body: parseJson(text) as Body, ms };
  };
  return {
    call,
    async get<Body>(path: string, token: string) {
      const answer = await call<Body>('GET', path, { token });
      if (answer.status !== 200) throw new UnexpectedAnswer('GET', path, answer);
      return answer.body;
    },
  };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
