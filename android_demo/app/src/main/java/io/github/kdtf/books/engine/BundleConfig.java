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

/** What config.json says of a bundle, every other file of which was compared with its SHA-256. */
public final class BundleConfig {
    /** The version of the signatures that this code speaks. */
    public static final int CONTRACT_VERSION = 1;

    /** Its value is the SHA-256 of config.json, worked out with 64 zeros in its place. */
    private static final String OWN_HASH = "config_sha256";

    private static final String ZEROS =
            "0000000000000000000000000000000000000000000000000000000000000000";
    private static final int BUFFER_BYTES = 1 << 16;

    public final String name;
    public final int numItems;
    public final int maxLength;
    public final int recommendations;
    public final int candidates;
    public final List<String> signatures;
    public final String minRuntimeVersion;
    public final String quantization;

    /** The figures that the model was shipped with, by name. */
    public final Map<String, Double> metrics;

    /** What the model was trained on: name, users, items, interactions and so on. */
    public final JSONObject dataset;

    /** SHA-256 in lower-case hexadecimal by file name. */
    public final Map<String, String> sha256;

    /** Bytes of every file by name, config.json included. */
    public final Map<String, Long> bytes;

    /** Tells this bundle from every other: the SHA-256 of config.json, which lists the rest. */
    public final String fingerprint;

    /**
     * Reads config.json and compares every file that it lists with its SHA-256.
     *
     * @throws BundleException something is missing, damaged or of another version
     */
    public static BundleConfig read(BundleFiles files) throws BundleException {
        byte[] content = readAll(files, BundleFiles.CONFIG);
        JSONObject json;
        try {
            json = new JSONObject(new String(content, StandardCharsets.UTF_8));
        } catch (JSONException error) {
            throw damaged("it is not valid JSON: " + error.getMessage());
        }
        // Before anything else: the other keys mean something only under a known version.
        Object version = json.opt("contract_version");
        if (!Integer.valueOf(CONTRACT_VERSION).equals(version)) {
            throw new BundleException(Problem.OTHER_VERSION, BundleFiles.CONFIG,
                    "contract version " + version + ", this app reads version " + CONTRACT_VERSION);
        }
        checkOwnHash(content, json.opt(OWN_HASH));
        Map<String, Long> bytes = new TreeMap<>();
        bytes.put(BundleFiles.CONFIG, (long) content.length);
        return new BundleConfig(json, files, bytes, hexadecimal(sha256().digest(content)));
    }

    private BundleConfig(JSONObject json, BundleFiles files, Map<String, Long> bytes,
            String fingerprint) throws BundleException {
        this.fingerprint = fingerprint;
        sha256 = Collections.unmodifiableMap(hashes(json));
        for (Map.Entry<String, String> one : sha256.entrySet()) {
            bytes.put(one.getKey(), compare(files, one.getKey(), one.getValue()));
        }
        this.bytes = Collections.unmodifiableMap(bytes);
        name = text(json, "name");
        if (Integer.valueOf(0).equals(json.opt("num_items"))) {
            throw new BundleException(Problem.EMPTY_CATALOG, BundleFiles.CONFIG, "num_items is 0");
        }
        numItems = size(json, "num_items");
        maxLength = size(json, "max_length");
        recommendations = size(json, "recommendations");
        candidates = size(json, "candidates");
        minRuntimeVersion = text(json, "min_runtime_version");
        quantization = text(json, "quantization");
        signatures = Collections.unmodifiableList(names(json));
        metrics = Collections.unmodifiableMap(figures(json));
        dataset = object(json, "dataset");
    }

    /** The bytes of all files together. */
    public long totalBytes() {
        long sum = 0;
        for (long one : bytes.values()) {
            sum += one;
        }
        return sum;
    }

    private static void checkOwnHash(byte[] content, Object own) throws BundleException {
        // A byte is a character here, so that the bytes come back as they were.
        String text = new String(content, StandardCharsets.ISO_8859_1);
        String hash = own instanceof String ? (String) own : "";
        int place = hash.length() == ZEROS.length() ? text.indexOf(hash) : -1;
        if (place >= 0 && text.indexOf(hash, place + 1) < 0) {
            byte[] open = text.replace(hash, ZEROS).getBytes(StandardCharsets.ISO_8859_1);
            if (hexadecimal(sha256().digest(open)).equals(hash)) {
                return;
            }
        }
        throw damaged(OWN_HASH + " is not its SHA-256");
    }

    private static Map<String, String> hashes(JSONObject json) throws BundleException {
        JSONObject listed = object(json, "sha256");
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
        for (String needed : new String[] {BundleFiles.MODEL, BundleFiles.CATALOG}) {
            if (!hashes.containsKey(needed)) {
                throw damaged("sha256 does not list " + needed);
            }
        }
        return hashes;
    }

    /** The size of a file whose content has this hash. */
    private static long compare(BundleFiles files, String name, String expected)
            throws BundleException {
        MessageDigest digest = sha256();
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

    /** The content of a file, all of it at once. */
    static byte[] readAll(BundleFiles files, String name) throws BundleException {
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

    private static List<String> names(JSONObject json) throws BundleException {
        JSONArray listed = json.optJSONArray("signatures");
        if (listed == null) {
            throw damaged("signatures must be a list of names");
        }
        List<String> names = new ArrayList<>();
        for (int i = 0; i < listed.length(); i++) {
            if (!(listed.opt(i) instanceof String)) {
                throw damaged("signatures must be a list of names");
            }
            names.add(listed.optString(i));
        }
        Collections.sort(names);
        return names;
    }

    private static Map<String, Double> figures(JSONObject json) throws BundleException {
        JSONObject listed = object(json, "metrics");
        Map<String, Double> figures = new TreeMap<>();
        for (Iterator<String> names = listed.keys(); names.hasNext(); ) {
            String one = names.next();
            double figure = listed.opt(one) instanceof Number ? listed.optDouble(one) : Double.NaN;
            if (Double.isNaN(figure) || Double.isInfinite(figure)) {
                throw damaged("the metric " + one + " is not a number: " + listed.opt(one));
            }
            figures.put(one, figure);
        }
        return figures;
    }

    private static String text(JSONObject json, String key) throws BundleException {
        if (!(json.opt(key) instanceof String)) {
            throw damaged(key + " must be a text, not " + json.opt(key));
        }
        return json.optString(key);
    }

    private static int size(JSONObject json, String key) throws BundleException {
        Object value = json.opt(key);
        if (!(value instanceof Integer) || (Integer) value < 1) {
            throw damaged(key + " must be a whole number of at least 1, not " + value);
        }
        return (Integer) value;
    }

    private static JSONObject object(JSONObject json, String key) throws BundleException {
        JSONObject value = json.optJSONObject(key);
        if (value == null) {
            throw damaged(key + " must be an object");
        }
        return value;
    }

    private static BundleException damaged(String what) {
        return new BundleException(Problem.DAMAGED_FILE, BundleFiles.CONFIG, what);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new AssertionError(error); // every Android has it
        }
    }

    private static String hexadecimal(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte one : bytes) {
            text.append(Character.forDigit((one >> 4) & 15, 16)).append(Character.forDigit(one & 15, 16));
        }
        return text.toString();
    }
}
