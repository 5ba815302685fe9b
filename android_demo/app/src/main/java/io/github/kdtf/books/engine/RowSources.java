package io.github.kdtf.books.engine;

import io.github.kdtf.books.engine.BundleException.Problem;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.Collections;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * Where the rows of a ranker come from on a device: sources.json, by the rules of
 * docs/reference/bundle.md; as kd_tf.runtime.row_sources in Python.
 */
public final class RowSources {
    /** What a value is from. */
    public enum Source {
        HOUR, WEEKDAY, TIME, LOCAL_TIME, LANGUAGE, ITEM_ID, ITEM, HISTORY, FIXED, MISSING;

        /** Whether a device knows it at any moment. */
        boolean isOfMoment() {
            return compareTo(LANGUAGE) <= 0;
        }
    }

    /** A column and where its value is from. */
    public static final class Column {
        public final String name;
        public final Source source;

        /** The column of items.json; of ITEM and HISTORY. */
        public final String of;

        /** The values of seven weekdays, Monday first; of WEEKDAY. */
        private final List<Object> values;

        /** Of FIXED; else null. */
        private final Object value;

        private Column(String name, Source source, String of, List<Object> values, Object value) {
            this.name = name;
            this.source = source;
            this.of = of;
            this.values = values;
            this.value = value;
        }
    }

    private static final int VERSION = 1;
    private static final int WEEKDAYS = 7;

    /** A column of the history is the mean of so many of its newest books that have a number. */
    private static final int HISTORY_LENGTH = 5;

    private final List<Column> columns = new ArrayList<>();
    private final ItemValues items;

    /**
     * Of what sources.json holds.
     *
     * @param names the columns of features.json
     * @throws BundleException it is damaged, of another version, or does not fit the other files
     */
    public static RowSources of(JSONObject content, List<String> names, ItemValues items)
            throws BundleException {
        return new RowSources(content, names, items);
    }

    private RowSources(JSONObject content, List<String> names, ItemValues items)
            throws BundleException {
        this.items = items;
        ItemValues.checkVersion(content, VERSION, BundleFiles.SOURCES);
        JSONArray listed = content.optJSONArray("columns");
        check(listed != null && listed.length() == names.size(), "columns");
        for (int i = 0; i < names.size(); i++) {
            JSONObject column = listed.optJSONObject(i);
            check(column != null && names.get(i).equals(column.opt("name")), "columns[" + i + "]");
            columns.add(read(column, names.get(i)));
        }
    }

    private Column read(JSONObject column, String name) throws BundleException {
        Source source = null;
        for (Source one : Source.values()) {
            String word = one.name().toLowerCase(Locale.ROOT).replace('_', '-');
            source = word.equals(column.opt("source")) ? one : source;
        }
        check(source != null, name);
        String of = null;
        if (source == Source.ITEM || source == Source.HISTORY) {
            check(column.opt("of") instanceof String && items.has(column.optString("of")), name);
            of = column.optString("of");
        }
        List<Object> values = new ArrayList<>();
        if (source == Source.WEEKDAY) {
            JSONArray listed = column.optJSONArray("values");
            check(listed != null && listed.length() == WEEKDAYS, name);
            for (int i = 0; i < WEEKDAYS; i++) {
                check(ItemValues.isValue(listed.opt(i)), name);
                values.add(listed.opt(i));
            }
        }
        Object value = source == Source.FIXED ? column.opt("value") : null;
        check(source != Source.FIXED || ItemValues.isValue(value), name);
        return new Column(name, source, of, values, value);
    }

    public List<Column> columns() {
        return Collections.unmodifiableList(columns);
    }

    /** The values of the columns that a device knows: Strings, Numbers, or null. */
    public Map<String, Object> context(Moment moment) {
        Calendar local = new GregorianCalendar(TimeZone.getTimeZone("UTC"), Locale.ROOT);
        local.setTimeInMillis((moment.seconds + moment.offsetSeconds) * 1000);
        Map<String, Object> context = new HashMap<>();
        for (Column column : columns) {
            if (column.source.isOfMoment()) {
                context.put(column.name, value(column, moment, local));
            }
        }
        return context;
    }

    private static Object value(Column column, Moment moment, Calendar local) {
        switch (column.source) {
            case HOUR: return local.get(Calendar.HOUR_OF_DAY);
            case WEEKDAY:
                // Sunday is 1.
                return column.values.get((local.get(Calendar.DAY_OF_WEEK) + 5) % WEEKDAYS);
            case TIME: return moment.seconds;
            case LOCAL_TIME:
                return String.format(Locale.ROOT, "%tFT%<tT", local);
            default:
                String tag = moment.language == null ? "" : moment.language;
                String language = tag.split("-", 2)[0].toLowerCase(Locale.ROOT);
                return language.isEmpty() ? null : language;
        }
    }

    /**
     * A row for each candidate; what is unknown is null.
     *
     * @param candidates item ids
     * @param history item ids of the reader's books, oldest first
     * @param context values by column, which come before all others
     */
    public List<Map<String, Object>> rows(List<String> candidates, List<String> history,
            Map<String, ?> context) {
        Map<String, Object> shared = sharedValues(history, context);
        List<Map<String, Object>> rows = new ArrayList<>();
        for (String itemId : candidates) {
            Map<String, Object> row = new LinkedHashMap<>();
            for (Column column : columns) {
                Object value = shared.get(column.name);
                if (!context.containsKey(column.name)) {
                    if (column.source == Source.ITEM_ID) {
                        value = itemId;
                    } else if (column.source == Source.ITEM) {
                        value = items.value(column.of, itemId);
                    }
                }
                row.put(column.name, value);
            }
            rows.add(row);
        }
        return rows;
    }

    /** The values that all rows of a list share; null where a value is of the book or unknown. */
    public Map<String, Object> sharedValues(List<String> history, Map<String, ?> context) {
        Map<String, Object> values = new LinkedHashMap<>();
        for (Column column : columns) {
            Object value = column.value;
            if (context.containsKey(column.name)) {
                value = context.get(column.name);
            } else if (column.source == Source.HISTORY) {
                value = mean(column.of, history);
            }
            values.put(column.name, value);
        }
        return values;
    }

    /** The mean over the newest books that have a number; null without any. */
    private Double mean(String column, List<String> history) {
        double sum = 0;
        int count = 0;
        for (int i = history.size() - 1; i >= 0 && count < HISTORY_LENGTH; i--) {
            Object value = items.value(column, history.get(i));
            if (value instanceof Number) {
                sum += ((Number) value).doubleValue();
                count++;
            }
        }
        return count == 0 ? null : (Double) (sum / count);
    }

    private static void check(boolean isSound, String what) throws BundleException {
        if (!isSound) {
            throw new BundleException(Problem.DAMAGED_FILE,
                    RankerConfig.FOLDER + BundleFiles.SOURCES,
                    what + " is missing or is not what it should be");
        }
    }
}
