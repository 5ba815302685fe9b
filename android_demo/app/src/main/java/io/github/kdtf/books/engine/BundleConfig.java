package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.json.JSONObject;

/** What config.json says of a bundle, every other file of which was compared with its SHA-256. */
public final class BundleConfig {
    /** The version of the signatures that this code speaks. */
    public static final int CONTRACT_VERSION = 1;

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

    /** The second model, which sorts what the first one recommends; null if there is none. */
    public final RankerConfig ranker;

    /** SHA-256 in lower-case hexadecimal by file name. */
    public final Map<String, String> sha256;

    /** Bytes of every file by its path, those of the ranker and config.json included. */
    public final Map<String, Long> bytes;

    /** Tells this bundle from every other: the SHA-256 of config.json, which lists the rest. */
    public final String fingerprint;

    /**
     * Reads config.json and compares every file that it lists with its SHA-256.
     *
     * @throws BundleException something is missing, damaged or of another version
     */
    public static BundleConfig read(BundleFiles files) throws BundleException {
        return new BundleConfig(files, new ConfigFile(files, "", CONTRACT_VERSION,
                BundleFiles.MODEL, BundleFiles.CATALOG));
    }

    private BundleConfig(BundleFiles files, ConfigFile file) throws BundleException {
        fingerprint = file.hash;
        sha256 = file.sha256;
        name = file.text("name");
        if (Integer.valueOf(0).equals(file.json.opt("num_items"))) {
            throw new BundleException(Problem.EMPTY_CATALOG, BundleFiles.CONFIG, "num_items is 0");
        }
        numItems = file.size("num_items");
        maxLength = file.size("max_length");
        recommendations = file.size("recommendations");
        candidates = file.size("candidates");
        minRuntimeVersion = file.text("min_runtime_version");
        quantization = file.text("quantization");
        signatures = Collections.unmodifiableList(file.names("signatures"));
        metrics = Collections.unmodifiableMap(figures(file));
        dataset = file.object("dataset");
        Map<String, Long> sizes = new TreeMap<>(file.bytes);
        ranker = file.json.has("ranker_sha256")
                ? RankerConfig.read(files, file.text("ranker_sha256")) : null;
        if (ranker != null) {
            sizes.putAll(ranker.bytes);
        }
        bytes = Collections.unmodifiableMap(sizes);
    }

    /** The bytes of all files together. */
    public long totalBytes() {
        long sum = 0;
        for (long one : bytes.values()) {
            sum += one;
        }
        return sum;
    }

    private static Map<String, Double> figures(ConfigFile file) throws BundleException {
        JSONObject listed = file.object("metrics");
        Map<String, Double> figures = new TreeMap<>();
        for (Iterator<String> names = listed.keys(); names.hasNext(); ) {
            String one = names.next();
            double figure = listed.opt(one) instanceof Number ? listed.optDouble(one) : Double.NaN;
            if (Double.isNaN(figure) || Double.isInfinite(figure)) {
                throw file.damaged("the metric " + one + " is not a number: " + listed.opt(one));
            }
            figures.put(one, figure);
        }
        return figures;
    }
}
