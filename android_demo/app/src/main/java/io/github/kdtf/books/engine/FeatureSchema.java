package io.github.kdtf.books.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.json.JSONObject;

/**
 * Rows of raw values as the model for ratings and clicks takes them: what features.json says, by
 * the rules of docs/reference/features.md.
 */
public final class FeatureSchema {
    /** What the model predicts; its probability p stands for low + p * (high - low). */
    public static final class Label {
        public final String name;
        public final boolean isRating;
        public final double low;
        public final double high;

        Label(String name, boolean isRating, double low, double high) {
            this.name = name;
            this.isRating = isRating;
            this.low = low;
            this.high = high;
        }
    }

    /** What the model's signatures take. */
    public static final class EncodedRow {
        public final int[] categorical;
        public final float[] numeric;

        EncodedRow(int[] categorical, float[] numeric) {
            this.categorical = categorical;
            this.numeric = numeric;
        }
    }

    public final Label label;

    private final List<RawColumn> columns;
    private final List<IdFeature> categorical;
    private final List<NumberFeature> numeric;
    private final int places;

    /**
     * Reads features.json.
     *
     * @throws BundleException it is missing, damaged or of another version
     */
    public static FeatureSchema read(BundleFiles files) throws BundleException {
        return read(files, BundleFiles.FEATURES);
    }

    static FeatureSchema read(BundleFiles files, String path) throws BundleException {
        return of(ConfigFile.readJson(files, path));
    }

    /**
     * Of what features.json holds.
     *
     * @throws BundleException it is damaged or of another version
     */
    public static FeatureSchema of(JSONObject content) throws BundleException {
        return FeaturesReader.read(content);
    }

    FeatureSchema(Label label, List<RawColumn> columns, List<IdFeature> categorical,
            List<NumberFeature> numeric) {
        this.label = label;
        this.columns = columns;
        this.categorical = categorical;
        this.numeric = numeric;
        int sum = 0;
        for (IdFeature feature : categorical) {
            sum += feature.places;
        }
        places = sum;
    }

    List<String> columnNames() {
        List<String> names = new ArrayList<>();
        for (RawColumn column : columns) {
            names.add(column.name);
        }
        return names;
    }

    /** F, the number of ids of an encoded row. */
    int numPlaces() {
        return places;
    }

    /** G, the number of numbers of an encoded row. */
    int numNumeric() {
        return numeric.size();
    }

    /**
     * Encodes one row.
     *
     * @param values by the names of their columns: null, a Boolean, a Number or a String, or of a
     *     list column a List of these; other columns are ignored
     * @throws IllegalArgumentException a column is missing, or a value cannot be one of its column
     */
    public EncodedRow encode(Map<String, ?> values) {
        RawRow row = new RawRow(values, columns);
        int[] ids = new int[places];
        int place = 0;
        for (IdFeature feature : categorical) {
            feature.encode(row, ids, place);
            place += feature.places;
        }
        float[] numbers = new float[numeric.size()];
        for (int i = 0; i < numbers.length; i++) {
            NumberFeature feature = numeric.get(i);
            numbers[i] = feature.encode(row.numbers.get(feature.column));
        }
        return new EncodedRow(ids, numbers);
    }
}
