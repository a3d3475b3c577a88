// Compound File Binary (MS-CFB): the container of Word, Excel and PowerPoint up to 2003, of Outlook's messages and Windows' installers.

const entryBytes = 128;

/** Streams and storages by which Office's own programs know their files. */
const typeByEntry = new Map([
  ['WordDocument', 'application/msword'],
  ['Workbook', 'application/vnd.ms-excel'],
  ['Book', 'application/vnd.ms-excel'],
  ['PowerPoint Document', 'application/vnd.ms-powerpoint'],
  ['VisioDocument', 'application/vnd.visio'],
  ['__properties_version1.0', 'application/vnd.ms-outlook'],
]);

/** The document in the container, where the first sector of its directory lies within these bytes (§2.2, §2.6.1). */
export const officeTypeOf = (head: Uint8Array): string | undefined => {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (bytes.length < 512) return undefined;
  const sectorBytes = bytes.readUInt16LE(30) === 12 ? 4096 : 512;
  const begin = (bytes.readUInt32LE(48) + 1) * sectorBytes;
  for (let at = begin; at < begin + sectorBytes && at + entryBytes <= bytes.length; at += entryBytes) {
    const nameBytes = Math.min(64, bytes.readUInt16LE(at + 64));
    const type = nameBytes < 4 ? undefined : typeByEntry.get(bytes.toString('utf16le', at, at + nameBytes - 2));
    if (type !== undefined) return type;
  }
  return undefined;
};
