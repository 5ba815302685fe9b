import { Fault } from "../fault.js";

/**
 * UTF-8, or UTF-16 with a byte order mark; Latin-1 only where LibraryThing wrote it, because it
 * would decode anything.
 *
 * @param {Uint8Array} bytes
 * @throws {Fault} They are no text.
 */
export function decodeText(bytes) {
  const [first, second] = bytes;
  let encoding = "utf-8";
  if (first === 0xff && second === 0xfe) encoding = "utf-16le";
  if (first === 0xfe && second === 0xff) encoding = "utf-16be";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    const latin = new TextDecoder("windows-1252");
    const firstLine = latin.decode(bytes.subarray(0, 10_000)).split(/[\r\n]/, 1)[0];
    if (encoding === "utf-8" && /primary author/i.test(firstLine) && firstLine.includes("\t")) {
      return latin.decode(bytes);
    }
    throw new Fault("readingList.encoding");
  }
}
