package io.github.kdtf.books.engine;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The values of a row as features take them, by the names of their columns. */
final class RawRow {
    /** Canonical texts of categories and lists; empty where a value is missing. */
    final Map<String, List<String>> texts = new HashMap<>();

    /** Numbers, and times as Unix seconds; NaN where a value is missing. */
    final Map<String, Double> numbers = new HashMap<>();

    /**
     * Reads the values of all columns.
     *
     * @throws IllegalArgumentException a column is missing, or a value cannot be one of its column
     */
    RawRow(Map<String, ?> values, List<RawColumn> columns) {
        List<String> absent = new ArrayList<>();
        for (RawColumn column : columns) {
            if (!values.containsKey(column.name)) {
                absent.add("'" + column.name + "'");
            }
        }
        if (!absent.isEmpty()) {
            throw new IllegalArgumentException(
                    "the row has no " + absent + "; a value that is unknown is null");
        }
        for (RawColumn column : columns) {
            read(column, values.get(column.name));
        }
    }

    private void read(RawColumn column, Object value) {
        switch (column.type) {
            case CATEGORY:
                String text = column.category(value);
                texts.put(column.name, text == null
                        ? Collections.<String>emptyList() : Collections.singletonList(text));
                break;
            case LIST:
                texts.put(column.name, column.list(value));
                break;
            case NUMBER:
                numbers.put(column.name, column.number(value));
                break;
            default:
                numbers.put(column.name, column.seconds(value));
        }
    }
}
