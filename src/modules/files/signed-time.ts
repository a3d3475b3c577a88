/** Seconds since 1970 as a signed address has them: there is one way to write them, so that nothing in an address can be changed. */
export const isSignedTime = (text: string): boolean => /^[1-9][0-9]{0,10}$/.test(text);
