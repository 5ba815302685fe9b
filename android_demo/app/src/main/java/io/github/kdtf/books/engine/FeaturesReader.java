package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import io.github.kdtf.books.engine.FeatureSchema.Label;
import io.github.kdtf.books.engine.IdFeature.DatePart;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.json.JSONArray;
import org.json.JSONObject;

/** features.json, everything in which is checked; the keys of one of its objects. */
final class FeaturesReader {
    private static final int VERSION = 1;

    private static final int MAX_FEATURES = 10_000;

    /** Characters of a name, a value of a vocabulary, or a text that is a missing value. */
    private static final int MAX_NAME_LENGTH = 1000;

    private static final int MAX_VOCABULARY = 1_000_000;
    private static final int MAX_BUCKETS = 1 << 24;
    private static final int MAX_BOUNDARIES = 10_000;
    private static final int MAX_LIST_VALUES = 1000;
    private static final int MAX_MISSING_TEXTS = 1000;
    private static final int MAX_CROSSED_COLUMNS = 10;
    private static final long MAX_IDS = Integer.MAX_VALUE;
    private static final int MAX_PLACES = 100_000;

    /** Scaled numbers must fit in float32. */
    private static final double MAX_SCALED = 3.4e38;

    private static final double MAX_NUMBER = 1.7e308;
    private static final int MAX_SHOWN_LENGTH = 60;

    private final JSONObject content;

    /** What the object is, for messages: "columns[3]". */
    private final String place;

    static FeatureSchema read(JSONObject content) throws BundleException {
        Object version = content.opt("version");
        if (!Integer.valueOf(VERSION).equals(version)) {
            throw new BundleException(Problem.OTHER_VERSION, BundleFiles.FEATURES,
                    "features version " + show(version) + ", this app reads version " + VERSION);
        }
        return new FeaturesReader(content, "").schema();
    }

    private FeaturesReader(Object content, String place) throws BundleException {
        this.place = place;
        if (!(content instanceof JSONObject)) {
            throw damaged("it must be an object, not " + show(content));
        }
        this.content = (JSONObject) content;
    }

    private FeatureSchema schema() throws BundleException {
        List<String> missing = missing("missing");
        Map<String, RawColumn> columns = new LinkedHashMap<>();
        for (FeaturesReader reader : objects("columns")) {
            RawColumn column = reader.rawColumn(missing);
            if (columns.put(column.name, column) != null) {
                throw damaged("columns has " + show(column.name) + " twice");
            }
        }
        List<IdFeature> categorical = new ArrayList<>();
        List<String> names = new ArrayList<>();
        long ids = 0;
        long places = 0;
        for (FeaturesReader reader : objects("categorical")) {
            IdFeature feature = reader.idFeature(columns);
            categorical.add(feature);
            names.add(feature.name);
            ids += feature.ids;
            places += feature.places;
        }
        checkDistinct("categorical", names);
        if (ids > MAX_IDS) {
            throw damaged("the features have more than " + MAX_IDS + " ids together");
        }
        if (places > MAX_PLACES) {
            throw damaged("a row has more than " + MAX_PLACES + " ids");
        }
        List<NumberFeature> numeric = new ArrayList<>();
        names.clear();
        for (FeaturesReader reader : objects("numeric")) {
            NumberFeature feature = reader.numberFeature(columns);
            numeric.add(feature);
            names.add(feature.name);
        }
        checkDistinct("numeric", names);
        Label label = new FeaturesReader(content.opt("label"), "label").label();
        return new FeatureSchema(label, new ArrayList<>(columns.values()), categorical, numeric);
    }

    private Label label() throws BundleException {
        String kind = choice("kind", "click", "rating");
        double low = number("low");
        double high = number("high");
        if (!(low < high)) {
            throw damaged("low must be below high");
        }
        return new Label(name(), kind.equals("rating"), low, high);
    }

    /** Of an object in columns; {@code missing} is that of every column. */
    private RawColumn rawColumn(List<String> missing) throws BundleException {
        String type = choice("type", "category", "list", "number", "date");
        Set<String> all = new HashSet<>(missing);
        if (content.has("missing")) {
            all.addAll(missing("missing"));
        }
        String separator = type.equals("list") ? text("separator") : "";
        if (type.equals("list") && separator.codePointCount(0, separator.length()) != 1) {
            throw damaged("separator must be one character");
        }
        return new RawColumn(name(), RawColumn.Type.valueOf(type.toUpperCase(Locale.ROOT)),
                separator, all);
    }

    private IdFeature idFeature(Map<String, RawColumn> columns) throws BundleException {
        String name = name();
        switch (choice("kind", "vocabulary", "hash", "bucket", "date", "cross")) {
            case "cross":
                List<String> crossed = texts("columns", MAX_CROSSED_COLUMNS);
                for (String column : crossed) {
                    checkColumn(column, columns, RawColumn.Type.CATEGORY);
                }
                checkDistinct("columns", crossed);
                if (crossed.size() < 2) {
                    throw damaged("columns must be two or more");
                }
                return new IdFeature.Cross(name, crossed, integer("buckets", MAX_BUCKETS));
            case "bucket":
                return new IdFeature.Bucket(
                        name, column(columns, RawColumn.Type.NUMBER), boundaries());
            case "date":
                String part = choice("part", "hour", "weekday", "month");
                return new DatePart(name, column(columns, RawColumn.Type.DATE),
                        DatePart.Part.valueOf(part.toUpperCase(Locale.ROOT)));
            case "hash":
                return new IdFeature.Hash(name, textColumn(columns), places(columns),
                        integer("buckets", MAX_BUCKETS));
            default:
                return new IdFeature.Vocabulary(
                        name, textColumn(columns), places(columns), vocabulary());
        }
    }

    private NumberFeature numberFeature(Map<String, RawColumn> columns) throws BundleException {
        String kind = choice("kind", "scaled", "missing");
        String column = column(columns, RawColumn.Type.NUMBER);
        if (kind.equals("missing")) {
            return new NumberFeature.Missing(name(), column);
        }
        double low = number("low");
        double high = number("high");
        double divisor = number("divisor");
        double fill = number("fill");
        if (!(content.opt("log") instanceof Boolean)) {
            throw damaged("log must be true or false");
        }
        if (!(low <= high)) {
            throw damaged("low must not be above high");
        }
        if (!(divisor > 0)) {
            throw damaged("divisor must be above 0");
        }
        if (!(Math.abs(fill) <= MAX_SCALED)) {
            throw damaged("fill does not fit in float32");
        }
        NumberFeature.Scaled feature = new NumberFeature.Scaled(name(), column, low, high,
                number("offset"), divisor, fill, content.optBoolean("log"));
        for (double limit : new double[] {low, high}) {
            if (!(Math.abs(feature.scale(limit)) <= MAX_SCALED)) {
                throw damaged("the scaled numbers do not fit in float32");
            }
        }
        return feature;
    }

    private String textColumn(Map<String, RawColumn> columns) throws BundleException {
        return column(columns, RawColumn.Type.CATEGORY, RawColumn.Type.LIST);
    }

    /** Number of places of a category or a list. */
    private int places(Map<String, RawColumn> columns) throws BundleException {
        if (columns.get(text("column")).type == RawColumn.Type.LIST) {
            return integer("max_values", MAX_LIST_VALUES);
        }
        if (content.has("max_values")) {
            throw damaged("max_values is only for columns of type list");
        }
        return 1;
    }

    private List<FeaturesReader> objects(String key) throws BundleException {
        JSONArray items = array(key, MAX_FEATURES);
        List<FeaturesReader> readers = new ArrayList<>();
        for (int i = 0; i < items.length(); i++) {
            readers.add(new FeaturesReader(items.opt(i), key + "[" + i + "]"));
        }
        return readers;
    }

    private JSONArray array(String key, int maxLength) throws BundleException {
        JSONArray items = content.optJSONArray(key);
        if (items == null) {
            throw damaged(key + " must be a list, not " + show(content.opt(key)));
        }
        if (items.length() > maxLength) {
            throw damaged(key + " has more than " + maxLength + " entries");
        }
        return items;
    }

    private String text(String key) throws BundleException {
        return checkText(content.opt(key), key);
    }

    private String name() throws BundleException {
        String name = text("name");
        if (RawColumn.trim(name).isEmpty()) {
            throw damaged("name must not be empty");
        }
        return name;
    }

    private List<String> texts(String key, int maxLength) throws BundleException {
        JSONArray items = array(key, maxLength);
        List<String> texts = new ArrayList<>(items.length());
        for (int i = 0; i < items.length(); i++) {
            texts.add(checkText(items.opt(i), key));
        }
        return texts;
    }

    /** Texts that stand for a missing value. */
    private List<String> missing(String key) throws BundleException {
        List<String> texts = texts(key, MAX_MISSING_TEXTS);
        for (String text : texts) {
            if (text.isEmpty() || !text.equals(RawColumn.trim(text))) {
                throw damaged(key + " has an empty text, or one with blanks around it");
            }
        }
        checkDistinct(key, texts);
        return texts;
    }

    private List<String> vocabulary() throws BundleException {
        List<String> values = texts("values", MAX_VOCABULARY);
        for (String value : values) {
            if (!value.equals(RawColumn.canonical(value, Collections.<String>emptySet()))) {
                throw damaged("values has " + show(value) + ", which is no canonical text");
            }
        }
        checkDistinct("values", values);
        return values;
    }

    private double[] boundaries() throws BundleException {
        JSONArray items = array("boundaries", MAX_BOUNDARIES);
        double[] boundaries = new double[items.length()];
        for (int i = 0; i < boundaries.length; i++) {
            boundaries[i] = checkNumber(items.opt(i), "boundaries");
            if (i > 0 && boundaries[i] <= boundaries[i - 1]) {
                throw damaged("boundaries must ascend");
            }
        }
        return boundaries;
    }

    private String choice(String key, String... choices) throws BundleException {
        Object value = content.opt(key);
        if (!Arrays.asList(choices).contains(value)) {
            throw damaged(key + " must be one of " + Arrays.toString(choices) + ", not "
                    + show(value));
        }
        return (String) value;
    }

    private int integer(String key, int largest) throws BundleException {
        Object value = content.opt(key);
        if (!(value instanceof Integer) || (Integer) value < 1 || (Integer) value > largest) {
            throw damaged(key + " must be a whole number from 1 to " + largest + ", not "
                    + show(value));
        }
        return (Integer) value;
    }

    private double number(String key) throws BundleException {
        return checkNumber(content.opt(key), key);
    }

    /** The name of the feature's column. */
    private String column(Map<String, RawColumn> columns, RawColumn.Type... types)
            throws BundleException {
        String name = text("column");
        checkColumn(name, columns, types);
        return name;
    }

    private void checkColumn(String name, Map<String, RawColumn> columns, RawColumn.Type... types)
            throws BundleException {
        RawColumn column = columns.get(name);
        if (column == null) {
            throw damaged("columns has no " + show(name));
        }
        if (!Arrays.asList(types).contains(column.type)) {
            throw damaged("column " + show(name) + " has the type " + column.type
                    + ", which does not fit");
        }
    }

    private void checkDistinct(String key, List<String> texts) throws BundleException {
        Set<String> seen = new HashSet<>();
        for (String text : texts) {
            if (!seen.add(text)) {
                throw damaged(key + " has " + show(text) + " twice");
            }
        }
    }

    private String checkText(Object value, String key) throws BundleException {
        if (!(value instanceof String)) {
            throw damaged(key + " must be a text, not " + show(value));
        }
        String text = (String) value;
        if (text.codePointCount(0, text.length()) > MAX_NAME_LENGTH) {
            throw damaged(key + " has more than " + MAX_NAME_LENGTH + " characters");
        }
        if (!text.equals(RawColumn.joinSurrogates(text))) {
            throw damaged(key + " has half a surrogate pair");
        }
        return text;
    }

    private double checkNumber(Object value, String key) throws BundleException {
        double number = value instanceof Number ? ((Number) value).doubleValue() : Double.NaN;
        if (!(Math.abs(number) <= MAX_NUMBER)) {
            throw damaged(key + " must be a finite number, not " + show(value));
        }
        return number;
    }

    private BundleException damaged(String what) {
        return new BundleException(Problem.DAMAGED_FILE, BundleFiles.FEATURES,
                place.isEmpty() ? what : place + ": " + what);
    }

    private static String show(Object value) {
        String text = value instanceof String ? "'" + value + "'" : String.valueOf(value);
        return text.length() > MAX_SHOWN_LENGTH
                ? text.substring(0, MAX_SHOWN_LENGTH) + "…" : text;
    }
}
