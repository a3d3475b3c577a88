// The process in which thumbnails are made; thumbnail-process.ts says why it is one. It gets bytes and gives bytes: no file, no address.
import { once } from 'node:events';
import { totalmem } from 'node:os';
import sharp from 'sharp';
import type { FromThumbnailWorker, ThumbnailableType, ThumbnailOrder, ThumbnailSize } from './thumbnail-process.ts';

/** The one decoder of libvips that may see the bytes of a type, and how sharp names what it found in them. */
const decoders: Readonly<Record<ThumbnailableType, { readonly loader: string; readonly format: string; readonly compression?: string }>> = {
  'image/jpeg': { loader: 'VipsForeignLoadJpegBuffer', format: 'jpeg' },
  'image/png': { loader: 'VipsForeignLoadPngBuffer', format: 'png' },
  'image/webp': { loader: 'VipsForeignLoadWebpBuffer', format: 'webp' },
  'image/gif': { loader: 'VipsForeignLoadNsgifBuffer', format: 'gif' },
  'image/avif': { loader: 'VipsForeignLoadHeifBuffer', format: 'heif', compression: 'av1' },
  'image/tiff': { loader: 'VipsForeignLoadTiffBuffer', format: 'tiff' },
};

const maxPixels = 100_000_000;
const machineMiB = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 1024 / 1024;
/**
 * What a picture may take here, whatever its header says: decoders of some formats hold all of it, several times over. Where the machine
 * is small it is less, since two may be worked on at a time and the server needs its part.
 */
const maxMemoryMiB = Math.floor(Math.max(160, Math.min(512, machineMiB / 3)));
/** Processor time and not time on the clock, so that a picture is not at fault when the machine is busy. */
const maxCpuMs = 10_000;
const watchEveryMs = 25;

sharp.cache(false);
sharp.concurrency(1);

const allowOnly = (loader: string): void => {
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: [loader] });
};

const refused = (why: string, isLast = false): FromThumbnailWorker => ({ kind: 'refused', why, isLast });

const make = async (type: ThumbnailableType, size: ThumbnailSize, bytes: Buffer): Promise<FromThumbnailWorker> => {
  const { loader, format, compression } = decoders[type];
  allowOnly(loader);
  const image = sharp(bytes, {
    failOn: 'error',
    limitInputPixels: maxPixels,
    sequentialRead: true,
    animated: false,
    autoOrient: true,
  });
  const found = await image.metadata();
  if (found.format !== format || found.compression !== (compression ?? found.compression)) return refused('It is not what its type says.');
  // sharp keeps no metadata unless told to, and turns the colours into sRGB before it leaves the profile out.
  const { data, info } = await image
    .resize(size, size, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const webp = await sharp(data, { raw: { width, height, channels } }).webp({ quality: 80, effort: 3 }).toBuffer();
  return { kind: 'made', bytes: webp, width, height, color: dominantColor(data, channels) };
};

/**
 * The mean of the commonest of 512 coarse colours, over some 4000 pixels that are not mostly transparent. A plain mean of everything would
 * be a brown that occurs nowhere in the picture.
 */
const dominantColor = (pixels: Buffer, channels: number): string => {
  const step = Math.max(1, Math.floor(pixels.length / channels / 4096)) * channels;
  const bins = new Map<number, { count: number; red: number; green: number; blue: number }>();
  let fullest = { count: 0, red: 255, green: 255, blue: 255 };
  for (let at = 0; at + 2 < pixels.length; at += step) {
    const [red = 0, green = 0, blue = 0, alpha = 255] = pixels.subarray(at, at + channels);
    if (alpha < 128) continue;
    const key = ((red >> 5) << 6) | ((green >> 5) << 3) | (blue >> 5);
    const bin = bins.get(key) ?? { count: 0, red: 0, green: 0, blue: 0 };
    bins.set(key, bin);
    bin.count += 1;
    bin.red += red;
    bin.green += green;
    bin.blue += blue;
    if (bin.count > fullest.count) fullest = bin;
  }
  const mean = (sum: number) =>
    Math.round(sum / Math.max(1, fullest.count))
      .toString(16)
      .padStart(2, '0');
  return `#${mean(fullest.red)}${mean(fullest.green)}${mean(fullest.blue)}`;
};

/** sharp's messages are a decoder's own words, in several lines; what a person can act on is one of two things. */
const reasonOf = (error: unknown): string =>
  String(error).includes('exceeds pixel limit') ? `It has more than ${maxPixels / 1e6} million pixels.` : 'It is cut off or damaged.';

/** sharp works on threads of its own, so this one is free to look after it. Resolves with what the picture takes too much of. */
const watch = (signal: AbortSignal): Promise<FromThumbnailWorker> =>
  new Promise((resolve) => {
    const before = process.cpuUsage();
    const timer = setInterval(() => {
      const { user, system } = process.cpuUsage(before);
      if (process.memoryUsage.rss() > maxMemoryMiB * 1024 * 1024)
        resolve(refused(`It takes more than ${maxMemoryMiB} MiB of memory.`, true));
      else if ((user + system) / 1000 > maxCpuMs) resolve(refused(`It takes longer than ${maxCpuMs / 1000} s.`, true));
    }, watchEveryMs);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  });

const work = async (type: ThumbnailableType, size: ThumbnailSize, bytes: Buffer): Promise<FromThumbnailWorker> => {
  const done = new AbortController();
  try {
    return await Promise.race([make(type, size, bytes), watch(done.signal)]);
  } catch (error) {
    return refused(reasonOf(error));
  } finally {
    done.abort();
  }
};

const answer = (message: FromThumbnailWorker): void => {
  process.send?.(message);
};

/** The bytes of one picture, in one piece. What is left unread waits outside. */
const receive = async (length: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const piece: Buffer | null = process.stdin.read();
    if (piece === null) await once(process.stdin, 'readable');
    else filled += piece.copy(bytes, filled);
  }
  return bytes;
};

process.on('message', async ({ type, size, bytes }: ThumbnailOrder) => {
  answer(await work(type, size, await receive(bytes)));
});
// Ctrl-C in a terminal reaches this process too; it goes when the server has let go of it, not before.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
// An ordinary end would wait for the threads of sharp, and with them for the picture.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
answer({ kind: 'ready' });
