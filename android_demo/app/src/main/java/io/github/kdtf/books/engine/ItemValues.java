package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.util.HashMap;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONObject;

/** What a ranker takes of each book: items.json, by the rules of docs/reference/bundle.md. */
public final class ItemValues {
    private static final int VERSION = 1;

    private final Map<String, Integer> places = new HashMap<>();
    private final Map<String, Object[]> columns = new HashMap<>();

    /**
     * Of what items.json holds.
     *
     * @throws BundleException it is damaged or of another version
     */
    public static ItemValues of(JSONObject content) throws BundleException {
        return new ItemValues(content);
    }

    private ItemValues(JSONObject content) throws BundleException {
        checkVersion(content, VERSION, BundleFiles.ITEMS);
        Object item = content.opt("item");
        check(item == JSONObject.NULL || isName(item), "item");
        JSONArray ids = content.optJSONArray("item_ids");
        check(ids != null, "item_ids");
        for (int i = 0; i < ids.length(); i++) {
            check(isName(ids.opt(i)) && places.put(ids.optString(i), i) == null, "item_ids");
        }
        JSONArray listed = content.optJSONArray("columns");
        check(listed != null, "columns");
        for (int i = 0; i < listed.length(); i++) {
            read(listed.optJSONObject(i), "columns[" + i + "]", ids.length());
        }
    }

    private void read(JSONObject column, String what, int size) throws BundleException {
        check(column != null && isName(column.opt("name")), what);
        JSONArray values = column.optJSONArray("values");
        JSONArray codes = column.optJSONArray("places");
        check(values != null && codes != null && codes.length() == size, what);
        for (int i = 0; i < values.length(); i++) {
            check(isValue(values.opt(i)), what);
        }
        Object[] ofItems = new Object[size];
        for (int i = 0; i < size; i++) {
            Object code = codes.opt(i);
            check(code instanceof Integer && (Integer) code >= -1
                    && (Integer) code < values.length(), what);
            ofItems[i] = (Integer) code < 0 ? null : values.opt((Integer) code);
        }
        check(columns.put(column.optString("name"), ofItems) == null, what);
    }

    boolean has(String column) {
        return columns.containsKey(column);
    }

    /** The value of a book: a String, a Number, or null where it is missing or unknown. */
    Object value(String column, String itemId) {
        Integer place = places.get(itemId);
        return place == null ? null : columns.get(column)[place];
    }

    static boolean isName(Object value) {
        return value instanceof String && !((String) value).isEmpty();
    }

    /** Whether a value is a text or a finite number. */
    static boolean isValue(Object value) {
        if (!(value instanceof Number)) {
            return value instanceof String;
        }
        double number = ((Number) value).doubleValue();
        return !Double.isNaN(number) && !Double.isInfinite(number);
    }

    static void checkVersion(JSONObject content, int version, String file)
            throws BundleException {
        Object found = content.opt("version");
        if (!Integer.valueOf(version).equals(found)) {
            throw new BundleException(Problem.OTHER_VERSION, RankerConfig.FOLDER + file,
                    "version " + found + ", this app reads version " + version);
        }
    }

    private static void check(boolean isSound, String what) throws BundleException {
        if (!isSound) {
            throw new BundleException(Problem.DAMAGED_FILE,
                    RankerConfig.FOLDER + BundleFiles.ITEMS,
                    what + " is missing or is not what it should be");
        }
    }
}
