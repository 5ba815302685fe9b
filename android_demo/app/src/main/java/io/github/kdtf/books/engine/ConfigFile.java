package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** A config.json whose own hash is right, every file of which was compared with its SHA-256. */
final class ConfigFile {
    /** Its value is the SHA-256 of config.json, worked out with 64 zeros in its place. */
    private static final String OWN_HASH = "config_sha256";

    private static final String ZEROS =
            "0000000000000000000000000000000000000000000000000000000000000000";
    private static final int BUFFER_BYTES = 1 << 16;

    /** Its path in the bundle. */
    final String path;

    final JSONObject json;

    /** SHA-256 in lower-case hexadecimal by file name. */
    final Map<String, String> sha256;

    /** Bytes of every file by its path in the bundle, config.json included. */
    final Map<String, Long> bytes;

    /** SHA-256 of this file, in lower-case hexadecimal. */
    final String hash;

    /**
     * Reads config.json and compares every file that it lists with its SHA-256.
     *
     * @param folder path in the bundle, "" or with a slash at its end
     * @param version the contract version that is read
     * @param needed files that it must list
     * @throws BundleException something is missing, damaged or of another version
     */
    ConfigFile(BundleFiles files, String folder, int version, String... needed)
            throws BundleException {
        path = folder + BundleFiles.CONFIG;
        byte[] content = readAll(files, path);
        json = parse(content, path);
        // Before anything else: the other keys mean something only under a known version.
        Object found = json.opt("contract_version");
        if (!Integer.valueOf(version).equals(found)) {
            throw new BundleException(Problem.OTHER_VERSION, path,
                    "contract version " + found + ", this app reads version " + version);
        }
        checkOwnHash(content);
        hash = hexadecimal(digest().digest(content));
        sha256 = Collections.unmodifiableMap(hashes(needed));
        bytes = new TreeMap<>();
        bytes.put(path, (long) content.length);
        for (Map.Entry<String, String> one : sha256.entrySet()) {
            String file = folder + one.getKey();
            bytes.put(file, compare(files, file, one.getValue()));
        }
    }

    String text(String key) throws BundleException {
        if (!(json.opt(key) instanceof String)) {
            throw damaged(key + " must be a text, not " + json.opt(key));
        }
        return json.optString(key);
    }

    int size(String key) throws BundleException {
        return wholeNumber(1, key);
    }

    int wholeNumber(int least, String key) throws BundleException {
        Object value = json.opt(key);
        if (!(value instanceof Integer) || (Integer) value < least) {
            throw damaged(key + " must be a whole number of at least " + least + ", not " + value);
        }
        return (Integer) value;
    }

    JSONObject object(String key) throws BundleException {
        JSONObject value = json.optJSONObject(key);
        if (value == null) {
            throw damaged(key + " must be an object");
        }
        return value;
    }

    /** A list of names, sorted. */
    List<String> names(String key) throws BundleException {
        JSONArray listed = json.optJSONArray(key);
        List<String> names = new ArrayList<>();
        for (int i = 0; listed != null && i < listed.length(); i++) {
            if (listed.opt(i) instanceof String) {
                names.add(listed.optString(i));
            }
        }
        if (listed == null || names.size() < listed.length()) {
            throw damaged(key + " must be a list of names");
        }
        Collections.sort(names);
        return names;
    }

    BundleException damaged(String what) {
        return new BundleException(Problem.DAMAGED_FILE, path, what);
    }

    private void checkOwnHash(byte[] content) throws BundleException {
        // A byte is a character here, so that the bytes come back as they were.
        String text = new String(content, StandardCharsets.ISO_8859_1);
        Object own = json.opt(OWN_HASH);
        String value = own instanceof String ? (String) own : "";
        int place = value.length() == ZEROS.length() ? text.indexOf(value) : -1;
        if (place >= 0 && text.indexOf(value, place + 1) < 0) {
            byte[] open = text.replace(value, ZEROS).getBytes(StandardCharsets.ISO_8859_1);
            if (hexadecimal(digest().digest(open)).equals(value)) {
                return;
            }
        }
        throw damaged(OWN_HASH + " is not its SHA-256");
    }

    private Map<String, String> hashes(String[] needed) throws BundleException {
        JSONObject listed = object("sha256");
        Map<String, String> hashes = new TreeMap<>();
        for (Iterator<String> names = listed.keys(); names.hasNext(); ) {
            String file = names.next();
            if (file.isEmpty() || file.equals(".") || file.equals("..")
                    || file.matches("(?s).*[/\\\\:\0].*")) {
                throw damaged("it lists '" + file + "', which is not the name of a file");
            }
            if (!(listed.opt(file) instanceof String)) {
                throw damaged("sha256 must be an object of file: hash");
            }
            hashes.put(file, listed.optString(file).toLowerCase(java.util.Locale.ROOT));
        }
        for (String one : needed) {
            if (!hashes.containsKey(one)) {
                throw damaged("sha256 does not list " + one);
            }
        }
        return hashes;
    }

    /** The size of a file whose content has this hash. */
    private static long compare(BundleFiles files, String name, String expected)
            throws BundleException {
        MessageDigest digest = digest();
        byte[] buffer = new byte[BUFFER_BYTES];
        long size = 0;
        try (InputStream stream = files.open(name)) {
            for (int count; (count = stream.read(buffer)) > 0; size += count) {
                digest.update(buffer, 0, count);
            }
        } catch (IOException error) {
            throw new BundleException(Problem.MISSING_FILE, name, "it cannot be read", error);
        }
        if (!hexadecimal(digest.digest()).equals(expected)) {
            throw new BundleException(Problem.DAMAGED_FILE, name,
                    "its SHA-256 is not the one in " + BundleFiles.CONFIG);
        }
        return size;
    }

    /** The content of a file that holds one JSON object. */
    static JSONObject readJson(BundleFiles files, String name) throws BundleException {
        return parse(readAll(files, name), name);
    }

    private static JSONObject parse(byte[] content, String name) throws BundleException {
        try {
            return new JSONObject(new String(content, StandardCharsets.UTF_8));
        } catch (JSONException error) {
            throw new BundleException(Problem.DAMAGED_FILE, name,
                    "it is not valid JSON: " + error.getMessage());
        }
    }

    /** The content of a file, all of it at once. */
    private static byte[] readAll(BundleFiles files, String name) throws BundleException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        byte[] buffer = new byte[BUFFER_BYTES];
        try (InputStream stream = files.open(name)) {
            for (int count; (count = stream.read(buffer)) > 0; ) {
                content.write(buffer, 0, count);
            }
        } catch (IOException error) {
            throw new BundleException(Problem.MISSING_FILE, name, "it cannot be read", error);
        }
        return content.toByteArray();
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new AssertionError(error); // every Android has it
        }
    }

    private static String hexadecimal(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte one : bytes) {
            text.append(Character.forDigit((one >> 4) & 15, 16))
                    .append(Character.forDigit(one & 15, 16));
        }
        return text.toString();
    }
}
