// A dictionary of RFC 9651 §3.2, as far as it is read here: its members' values as they were written, their parameters left aside. Lists
// as values are not understood: no header that is read has them.

const key = '[a-z*][a-z0-9_.*-]*';
const bareItem = [
  '-?[0-9]{1,15}(?:\\.[0-9]{1,3})?', // a number
  '"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\["\\\\])*"', // a text
  "[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*", // a token
  ':[A-Za-z0-9+/=]*:', // bytes
  '\\?[01]', // yes or no
  '@-?[0-9]{1,15}', // a date
].join('|');
const parameters = `(?:; *${key}(?:=(?:${bareItem}))?)*`;
const member = new RegExp(`(?<key>${key})(?:=(?<value>${bareItem}))?${parameters}[ \\t]*(?<end>,[ \\t]*|$)`, 'y');

/** Each member's value; `?1` where none is written. Undefined for what is no dictionary. */
export const parseDictionary = (text: string): ReadonlyMap<string, string> | undefined => {
  const rest = text.trim();
  const members = new Map<string, string>();
  member.lastIndex = 0;
  for (let isLast = rest === ''; !isLast; ) {
    const groups = member.exec(rest)?.groups;
    if (groups === undefined) return undefined;
    members.set(groups.key ?? '', groups.value ?? '?1'); // of two with the same key the last one counts
    isLast = groups.end === '';
  }
  return members;
};
