// Content types of static files by extension. App Engine: unknown is application/octet-stream.

const TEXT_UTF8: readonly string[] = ['css', 'csv', 'html', 'javascript', 'markdown', 'plain', 'calendar', 'xml', 'vtt'];

/* prettier-ignore */
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html', htm: 'text/html', css: 'text/css', js: 'text/javascript', mjs: 'text/javascript', cjs: 'text/javascript',
  txt: 'text/plain', text: 'text/plain', log: 'text/plain', md: 'text/markdown', csv: 'text/csv', ics: 'text/calendar',
  xml: 'text/xml', xsl: 'text/xml', vtt: 'text/vtt',
  json: 'application/json', map: 'application/json', webmanifest: 'application/manifest+json', jsonld: 'application/ld+json',
  wasm: 'application/wasm', pdf: 'application/pdf', zip: 'application/zip', gz: 'application/gzip', tgz: 'application/gzip',
  tar: 'application/x-tar', bz2: 'application/x-bzip2', xz: 'application/x-xz', '7z': 'application/x-7z-compressed',
  rss: 'application/rss+xml', atom: 'application/atom+xml', xhtml: 'application/xhtml+xml', rtf: 'application/rtf',
  eot: 'application/vnd.ms-fontobject', doc: 'application/msword', xls: 'application/vnd.ms-excel', ppt: 'application/vnd.ms-powerpoint',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', avif: 'image/avif',
  svg: 'image/svg+xml', ico: 'image/x-icon', bmp: 'image/bmp', tif: 'image/tiff', tiff: 'image/tiff', apng: 'image/apng',
  woff: 'font/woff', woff2: 'font/woff2', ttf: 'font/ttf', otf: 'font/otf',
  mp3: 'audio/mpeg', m4a: 'audio/mp4', ogg: 'audio/ogg', oga: 'audio/ogg', opus: 'audio/ogg', wav: 'audio/wav', flac: 'audio/flac', aac: 'audio/aac',
  mp4: 'video/mp4', m4v: 'video/mp4', webm: 'video/webm', ogv: 'video/ogg', mov: 'video/quicktime', avi: 'video/x-msvideo',
};

/** The Content-Type for a path, with its charset where text needs one. */
export function mimeTypeOf(path: string): string {
  const extension = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  const type = Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined;
  if (type === undefined) return 'application/octet-stream';
  return type.startsWith('text/') && TEXT_UTF8.includes(type.slice(5)) ? `${type}; charset=utf-8` : type;
}

/** Whether compression pays for this type. */
export function isCompressible(mimeType: string): boolean {
  return /^(?:text\/|application\/(?:json|javascript|manifest\+json|ld\+json|wasm|rss\+xml|atom\+xml|xhtml\+xml|xml)|image\/svg\+xml)/i.test(
    mimeType,
  );
}
