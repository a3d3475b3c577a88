/** A browser keeps its refresh token where no script can read it. */
const cookieName = 'entrepot-refresh';

const attributes = 'Path=/v1/sessions; HttpOnly; Secure; SameSite=Strict';

/** The `Set-Cookie` that hands a refresh token to a browser (RFC 6265). */
export const refreshCookie = (refreshToken: string, maxAgeMs: number): string =>
  `${cookieName}=${refreshToken}; Max-Age=${Math.floor(maxAgeMs / 1000)}; ${attributes}`;

/** The `Set-Cookie` that takes it away. */
export const noRefreshCookie = `${cookieName}=; Max-Age=0; ${attributes}`;

/** The refresh token in a `Cookie` header. */
export const refreshTokenIn = (header: string | undefined): string | undefined => {
  for (const pair of (header ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === cookieName && value) return value;
  }
  return undefined;
};
