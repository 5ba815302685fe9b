// Takes one file out of a ZIP archive.

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END_OF_DIRECTORY = 0x06054b50;
const END_LENGTH = 22;
const LONGEST_COMMENT = 65_535;

/**
 * @param {Uint8Array} bytes Anything.
 * @param {string} name
 * @param {number} most Bytes.
 * @returns {Promise<Uint8Array | null>} The content of the file, at least `most` + 1 bytes of it
 *   where it has more; null where `bytes` is no archive with such a file.
 */
export async function readFromArchive(bytes, name, most) {
  try {
    const entry = findEntry(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), name);
    if (!entry) return null;
    const content = bytes.subarray(entry.begin, entry.begin + entry.size);
    if (entry.method === 0) return content;
    if (entry.method !== 8) return null;
    return await inflate(content, most);
  } catch {
    return null;
  }
}

/**
 * @param {DataView} view
 * @param {string} name
 * @returns {{ begin: number, size: number, method: number } | null}
 * @throws {RangeError} A place lies outside of the archive.
 */
function findEntry(view, name) {
  if (view.getUint32(0, true) !== LOCAL_HEADER) return null;
  let end = view.byteLength - END_LENGTH;
  const first = Math.max(0, end - LONGEST_COMMENT);
  while (view.getUint32(end, true) !== END_OF_DIRECTORY) {
    if (end === first) return null;
    end -= 1;
  }
  let place = view.getUint32(end + 16, true);
  for (let entries = view.getUint16(end + 10, true); entries > 0; entries -= 1) {
    if (view.getUint32(place, true) !== CENTRAL_HEADER) return null;
    const nameLength = view.getUint16(place + 28, true);
    const entryName = new Uint8Array(view.buffer, view.byteOffset + place + 46, nameLength);
    if (new TextDecoder().decode(entryName) === name) {
      const local = view.getUint32(place + 42, true);
      return {
        begin: local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true),
        size: view.getUint32(place + 20, true),
        method: view.getUint16(place + 10, true),
      };
    }
    place += 46 + nameLength + view.getUint16(place + 30, true) + view.getUint16(place + 32, true);
  }
  return null;
}

/**
 * @param {Uint8Array} content
 * @param {number} most
 */
async function inflate(content, most) {
  const stream = new Blob([new Uint8Array(content)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate-raw"));
  const reader = stream.getReader();
  const parts = [];
  let size = 0;
  while (size <= most) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
  }
  await reader.cancel();
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
