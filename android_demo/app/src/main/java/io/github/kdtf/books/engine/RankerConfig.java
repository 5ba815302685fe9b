package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.util.Locale;
import java.util.Map;

/** The ranker in a bundle: what its config.json says, how rows are made and encoded for it. */
public final class RankerConfig {
    /** The version of the signatures that this code speaks. */
    public static final int CONTRACT_VERSION = 2;

    /** Its path in the bundle. */
    static final String FOLDER = "ranker/";

    public final String name;
    public final int numPlaces;
    public final int numNumeric;
    public final int batchSize;
    public final String minRuntimeVersion;
    public final FeatureSchema schema;
    public final RowSources sources;

    /** Bytes of every file by its path in the bundle. */
    public final Map<String, Long> bytes;

    /**
     * Reads the ranker's config.json and compares every file that it lists with its SHA-256.
     *
     * @param hash SHA-256 of the ranker's config.json, as the bundle says
     * @throws BundleException something is missing, damaged, of another version or another bundle
     */
    static RankerConfig read(BundleFiles files, String hash) throws BundleException {
        ConfigFile file = new ConfigFile(files, FOLDER, CONTRACT_VERSION, BundleFiles.MODEL,
                BundleFiles.FEATURES, BundleFiles.ITEMS, BundleFiles.SOURCES);
        if (!file.hash.equals(hash.toLowerCase(Locale.ROOT))) {
            throw new BundleException(Problem.MISMATCH, file.path,
                    "it is not the ranker that was added to the bundle");
        }
        return new RankerConfig(files, file);
    }

    private RankerConfig(BundleFiles files, ConfigFile file) throws BundleException {
        bytes = file.bytes;
        name = file.text("name");
        numPlaces = file.wholeNumber(0, "num_places");
        numNumeric = file.wholeNumber(0, "num_numeric");
        batchSize = file.size("batch_size");
        minRuntimeVersion = file.text("min_runtime_version");
        schema = FeatureSchema.read(files, FOLDER + BundleFiles.FEATURES);
        if (schema.numPlaces() != numPlaces || schema.numNumeric() != numNumeric) {
            throw new BundleException(Problem.MISMATCH, FOLDER + BundleFiles.FEATURES,
                    "it makes rows of " + schema.numPlaces() + " ids and " + schema.numNumeric()
                            + " numbers");
        }
        ItemValues items = ItemValues.of(
                ConfigFile.readJson(files, FOLDER + BundleFiles.ITEMS));
        sources = RowSources.of(ConfigFile.readJson(files, FOLDER + BundleFiles.SOURCES),
                schema.columnNames(), items);
    }
}
