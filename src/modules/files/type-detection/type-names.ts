// The many names of one type. The first name of a row is the one that is kept.

const namesOfOneType: readonly (readonly [string, ...string[]])[] = [
  ['image/jpeg', 'image/jpg', 'image/pjpeg', 'image/x-jpeg'],
  ['image/png', 'image/x-png', 'image/vnd.mozilla.apng'],
  ['image/bmp', 'image/x-bmp', 'image/x-ms-bmp'],
  ['image/x-icon', 'image/vnd.microsoft.icon', 'image/ico'],
  ['image/tiff', 'image/tif', 'image/x-tiff'],
  ['image/vnd.adobe.photoshop', 'image/x-photoshop', 'image/psd', 'application/photoshop', 'application/x-photoshop'],
  ['image/x-adobe-dng', 'image/dng'],
  ['image/svg+xml', 'image/svg'],
  ['image/jp2', 'image/jpeg2000', 'image/x-jp2'],
  ['audio/mpeg', 'audio/mp3', 'audio/x-mp3', 'audio/mpeg3', 'audio/x-mpeg', 'audio/x-mpeg-3'],
  ['audio/wav', 'audio/x-wav', 'audio/wave', 'audio/vnd.wave', 'audio/x-pn-wav'],
  ['audio/mp4', 'audio/x-m4a', 'audio/m4a', 'audio/x-m4b', 'audio/x-mp4'],
  ['audio/aac', 'audio/aacp', 'audio/x-aac', 'audio/x-hx-aac-adts'],
  ['audio/ogg', 'audio/opus', 'audio/vorbis', 'audio/x-ogg'],
  ['audio/flac', 'audio/x-flac'],
  ['audio/aiff', 'audio/x-aiff'],
  ['audio/midi', 'audio/mid', 'audio/x-midi', 'audio/sp-midi'],
  ['video/mp4', 'video/x-m4v', 'application/mp4', 'video/x-mp4'],
  ['video/matroska', 'video/x-matroska', 'audio/matroska', 'audio/x-matroska', 'video/x-mkv'],
  ['video/webm', 'audio/webm'],
  ['video/vnd.avi', 'video/x-msvideo', 'video/avi', 'video/msvideo'],
  ['video/mpeg', 'video/mp1s', 'video/mp2p', 'video/x-mpeg'],
  ['video/mp2t', 'video/vnd.dlna.mpeg-tts', 'video/mpegts'],
  ['video/x-flv', 'video/flv'],
  ['video/ogg', 'video/x-ogg'],
  ['application/pdf', 'application/x-pdf'],
  ['application/rtf', 'text/rtf', 'text/richtext', 'application/x-rtf'],
  ['application/xml', 'text/xml'],
  ['application/json', 'text/json'],
  ['text/javascript', 'application/javascript', 'application/x-javascript', 'application/ecmascript'],
  ['text/csv', 'application/csv', 'text/x-csv'],
  ['text/markdown', 'text/x-markdown'],
  ['text/vcard', 'text/x-vcard'],
  ['application/zip', 'application/x-zip-compressed', 'application/x-zip', 'multipart/x-zip'],
  ['application/gzip', 'application/x-gzip', 'application/x-tgz', 'application/x-compressed-tar', 'application/x-gtar-compressed'],
  ['application/x-tar', 'application/tar', 'application/x-gtar'],
  ['application/vnd.rar', 'application/x-rar-compressed', 'application/x-rar'],
  ['application/x-7z-compressed', 'application/x-7z'],
  ['application/x-bzip2', 'application/x-bzip', 'application/bzip2'],
  ['application/x-xz', 'application/xz'],
  ['application/zstd', 'application/x-zstd'],
  ['application/x-msdownload', 'application/x-dosexec', 'application/x-msdos-program', 'application/vnd.microsoft.portable-executable'],
  ['application/x-elf', 'application/x-executable', 'application/x-sharedlib'],
  ['application/java-archive', 'application/x-java-archive'],
  ['application/vnd.visio', 'application/vnd.ms-visio.drawing'],
  ['application/vnd.ms-outlook', 'application/x-msg'],
];

const keptNames = new Map(namesOfOneType.flatMap(([kept, ...others]) => others.map((other) => [other, kept] as const)));

/** What clients send when they do not know, or did not ask: no declaration at all. */
const saysNothing = new Set([
  '',
  'application/octet-stream',
  'binary/octet-stream',
  'application/x-www-form-urlencoded',
  'application/binary',
  'application/force-download',
  'application/x-download',
]);

/** RFC 9110 §8.3.1: two tokens. No wildcards: those belong into lists of types. */
const mediaType = /^[a-z0-9!#$%&'+.^_`|~-]{1,63}\/[a-z0-9!#$%&'+.^_`|~-]{1,127}$/;

/** A type without its parameters, in lower case, by the one name that is kept for it. */
export const plainType = (text: string): string => {
  const [name = ''] = text.split(';', 1);
  const lower = name.trim().toLowerCase();
  return keptNames.get(lower) ?? lower;
};

/** What a client declared. Undefined where it says nothing: then the bytes alone decide, as where it is no media type at all. */
export const declaredType = (declared: string | undefined): string | undefined => {
  const type = plainType(declared ?? '');
  return saysNothing.has(type) || !mediaType.test(type) ? undefined : type;
};

const macroFree = 'application/vnd.openxmlformats-officedocument.';

/** Families whose members are told apart by less than clients know: whichever was declared, the sniffed one is kept. */
const families: readonly ((type: string) => boolean)[] = [
  // ISO base media (ISO/IEC 14496-12): players and cameras disagree about which brand is which type.
  (type) => /^(video\/(mp4|quicktime|3gpp2?)|audio\/(mp4|3gpp2?|aac))$/.test(type),
  (type) => /^image\/(hei[cf](-sequence)?|avif)$/.test(type),
  (type) => /^(audio|video|application)\/ogg$/.test(type),
  (type) => /^image\/a?png$/.test(type),
  (type) => /^((audio|video)\/x-ms-(asf|wm[av]|wmx)|application\/vnd\.ms-asf)$/.test(type),
  // Raw photographs are TIFF inside.
  (type) => /^image\/(tiff|x-(canon-cr2|nikon-nef|sony-arw|adobe-dng))$/.test(type),
  (type) => type === 'video/matroska' || type === 'video/webm',
];

const zipBased = (type: string): boolean =>
  type.startsWith(macroFree) ||
  type.includes('.macroenabled.12') ||
  type.startsWith('application/vnd.oasis.opendocument.') ||
  /^application\/(epub\+zip|java-archive|vnd\.android\.package-archive|x-xpinstall|vnd\.visio|vnd\.apple\.(pages|numbers|keynote))$/.test(
    type,
  ) ||
  type === 'model/3mf';

/** Formats that are plain ZIP files, with nothing in them by which they could be known. */
const onlyZip = /^application\/(vnd\.google-earth\.kmz|vnd\.comicbook\+zip|x-cbz|wheel\+zip|[a-z0-9.-]+\+zip)$/;

/** Legacy Office, all in one container (CFB). */
const legacyOffice = new Set([
  'application/msword',
  'application/vnd.ms-excel',
  'application/vnd.ms-powerpoint',
  'application/vnd.ms-outlook',
  'application/vnd.visio',
  'application/vnd.ms-project',
  'application/vnd.ms-works',
  'application/x-mspublisher',
]);

/** Programs declare the new form of Office's documents by the name of the old one. */
const newForm = new Map([
  ['application/msword', /\.wordprocessingml\.|vnd\.ms-word\./],
  ['application/vnd.ms-excel', /\.spreadsheetml\.|vnd\.ms-excel\./],
  ['application/vnd.ms-powerpoint', /\.presentationml\.|vnd\.ms-powerpoint\./],
]);

/** Whether bytes sniffed as `sniffed` may be what `declared` says. Both by their kept names. */
export const goTogether = (sniffed: string, declared: string): boolean => {
  if (sniffed === declared) return true;
  if (families.some((isMember) => isMember(sniffed) && isMember(declared))) return true;
  if (declared === 'application/zip') return zipBased(sniffed);
  if (sniffed === 'application/zip') return onlyZip.test(declared) && !zipBased(declared);
  if (sniffed === 'application/x-cfb') return legacyOffice.has(declared);
  return newForm.get(declared)?.test(sniffed) ?? false;
};
