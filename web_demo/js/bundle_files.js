// The files of a bundle in a folder beside the page, every one of them checked.

import { Fault } from "./fault.js";

/**
 * The key of config.json whose value is the SHA-256 of config.json itself, worked out with zeros in
 * its place.
 */
const OWN_HASH = "config_sha256";

/**
 * Fetches config.json and all files that it lists.
 *
 * @template Config
 * @param {URL} folder Ends in "/".
 * @param {string} prefix Path in the folder: "" or "ranker/".
 * @param {number} version The contract version that is read.
 * @param {string[]} needed Files that config.json must list.
 * @param {(content: Record<string, unknown>) => Config} checkConfig
 * @returns {Promise<{ config: Config, hash: string, bytes: number,
 *   files: Map<string, Uint8Array<ArrayBuffer>> }>} `hash` is the SHA-256 of config.json.
 * @throws {Fault} Something is missing, damaged or of another version.
 */
export async function openFolder(folder, prefix, version, needed, checkConfig) {
  const path = `${prefix}config.json`;
  const written = await fetchFile(folder, path);
  const content = parse(written, path);
  if (!isObject(content)) throw new Fault("bundle.notJson", { file: path });
  // Before anything else: the other keys mean something only under a known version.
  if (content.contract_version !== version) {
    throw new Fault("bundle.contract", {
      found: JSON.stringify(content.contract_version) ?? "-",
      expected: version,
    });
  }
  const config = checkConfig(content);
  const hashes = checkHashes(content, needed, prefix);
  await checkOwnHash(written, content[OWN_HASH], path);
  const contents = await Promise.all(
    Object.entries(hashes).map(async ([name, hash]) =>
      /** @type {const} */ ([name, await fetchChecked(folder, prefix + name, hash)]),
    ),
  );
  const bytes = contents.reduce((sum, [, file]) => sum + file.length, written.length);
  return { config, hash: await sha256(written), bytes, files: new Map(contents) };
}

/**
 * The hashes of a config.json, whose names are those of files in its folder.
 *
 * @param {Record<string, unknown>} config
 * @param {string[]} needed Files that it must list.
 * @param {string} prefix Of the folder, for messages: "" or "ranker/".
 * @returns {Record<string, string>}
 */
function checkHashes({ sha256: hashes }, needed, prefix) {
  if (!isObject(hashes)) throw new Fault("bundle.key", { key: "sha256" });
  for (const [name, hash] of Object.entries(hashes)) {
    if (typeof hash !== "string") throw new Fault("bundle.key", { key: "sha256" });
    // A name that leads out of the folder, or to another host.
    if (name === "" || name === "." || name === ".." || /[/\\:\0]/.test(name)) {
      throw new Fault("bundle.fileName", { file: prefix + name });
    }
  }
  for (const name of needed) {
    if (!(name in hashes)) throw new Fault("bundle.unlisted", { file: prefix + name });
  }
  return /** @type {Record<string, string>} */ (hashes);
}

/**
 * @param {Uint8Array<ArrayBuffer>} written
 * @param {unknown} own
 * @param {string} file
 */
async function checkOwnHash(written, own, file) {
  const isHash = typeof own === "string" && /^[0-9a-f]{64}$/.test(own);
  const parts = isHash ? new TextDecoder().decode(written).split(own) : [];
  const opened = new TextEncoder().encode(parts.join("0".repeat(64)));
  if (parts.length !== 2 || (await sha256(opened)) !== own) throw new Fault("bundle.ownHash", { file });
}

/**
 * @param {URL} folder
 * @param {string} file Its path in the folder.
 * @param {string} hash
 */
async function fetchChecked(folder, file, hash) {
  const content = await fetchFile(folder, file);
  const found = await sha256(content);
  if (found !== hash.toLowerCase()) throw new Fault("bundle.hash", { file });
  return content;
}

/**
 * @param {Uint8Array<ArrayBuffer>} content
 * @returns {Promise<string>} In hexadecimal.
 */
export async function sha256(content) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {URL} folder
 * @param {string} file
 */
async function fetchFile(folder, file) {
  let response;
  try {
    response = await fetch(new URL(file.split("/").map(encodeURIComponent).join("/"), folder));
  } catch {
    throw new Fault("bundle.unreachable", { file });
  }
  if (!response.ok) throw new Fault("bundle.missing", { file, status: response.status });
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Fault("bundle.unreachable", { file });
  }
}

/**
 * @param {Uint8Array} content
 * @param {string} file
 * @returns {unknown}
 */
export function parse(content, file) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    throw new Fault("bundle.notJson", { file });
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
