/** RFC 6750 §2.1: what can be a bearer token at all. */
export const isBearerText = (text: string): boolean => /^[A-Za-z0-9\-._~+/]+=*$/.test(text);

/** The claims that stand in a JWT, believed by nobody yet; undefined where it is none. Only to find out who could check it. */
export const unprovenClaims = (token: string): Readonly<Record<string, unknown>> | undefined => {
  const [, payload, signature] = token.split('.', 3);
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? { ...claims } : undefined;
  } catch {
    return undefined;
  }
};
