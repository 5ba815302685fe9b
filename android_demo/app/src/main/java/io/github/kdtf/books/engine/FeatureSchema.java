package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.json.JSONException;
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
        byte[] content = BundleConfig.readAll(files, BundleFiles.FEATURES);
        try {
            return of(new JSONObject(new String(content, StandardCharsets.UTF_8)));
        } catch (JSONException error) {
            throw new BundleException(Problem.DAMAGED_FILE, BundleFiles.FEATURES,
                    "it is not valid JSON: " + error.getMessage());
        }
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
