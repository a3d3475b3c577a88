/** What may stand before the root element (XML 1.0 §2.8): white space, the declaration and other instructions, comments. */
const misc = /(?:\s+|<\?[\s\S]*?\?>|<!--[\s\S]*?-->)/y;
const doctype = /<!DOCTYPE(?:[^[>"']|"[^"]*"|'[^']*')*(?:\[(?:[^\]"']|"[^"]*"|'[^']*')*\]\s*)?>/y;
const startTag = /<(?:[\p{L}_][\p{L}\p{N}._-]*:)?([\p{L}_][\p{L}\p{N}._-]*)(?=[\s/>])/uy;

/** The local name of the root element, read from the beginning of a document; undefined where that shows none. */
export const xmlRootOf = (text: string): string | undefined => {
  let at = text.startsWith('\ufeff') ? 1 : 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  while (match(misc) !== null || match(doctype) !== null);
  return match(startTag)?.[1];
};
