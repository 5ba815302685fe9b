package io.github.kdtf.books.engine;

import java.nio.charset.StandardCharsets;
import java.util.Calendar;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A feature of a row that has ids: 0 is a missing value, 1 one that training has not seen. */
abstract class IdFeature {
    static final int MISSING_ID = 0;
    static final int UNKNOWN_ID = 1;

    /** Id of the first value or bucket. */
    static final int FIRST_ID = 2;

    final String name;

    /** Number of places in a row. */
    final int places;

    /** Number of ids: missing, unknown, and one for each value or bucket. */
    final long ids;

    private IdFeature(String name, int places, long values) {
        this.name = name;
        this.places = places;
        ids = FIRST_ID + values;
    }

    /** Writes its ids into a row from a place on; what it leaves stays {@link #MISSING_ID}. */
    abstract void encode(RawRow row, int[] ids, int place);

    /** By a vocabulary of canonical texts, of which a list has several. */
    static final class Vocabulary extends IdFeature {
        private final String column;
        private final Map<String, Integer> idOf = new HashMap<>();

        Vocabulary(String name, String column, int places, List<String> values) {
            super(name, places, values.size());
            this.column = column;
            for (String value : values) {
                idOf.put(value, FIRST_ID + idOf.size());
            }
        }

        @Override
        void encode(RawRow row, int[] ids, int place) {
            List<String> texts = row.texts.get(column);
            for (int i = 0; i < Math.min(places, texts.size()); i++) {
                Integer id = idOf.get(texts.get(i));
                ids[place + i] = id == null ? UNKNOWN_ID : id;
            }
        }
    }

    /** By a hash of canonical texts, of which a list has several. */
    static final class Hash extends IdFeature {
        private final String column;
        private final int buckets;

        Hash(String name, String column, int places, int buckets) {
            super(name, places, buckets);
            this.column = column;
            this.buckets = buckets;
        }

        @Override
        void encode(RawRow row, int[] ids, int place) {
            List<String> texts = row.texts.get(column);
            for (int i = 0; i < Math.min(places, texts.size()); i++) {
                ids[place + i] = hashToId(texts.get(i), buckets);
            }
        }
    }

    /** By a hash of the combination of several categories. */
    static final class Cross extends IdFeature {
        private static final char SEPARATOR = '\u001f';

        private final List<String> columns;
        private final int buckets;

        Cross(String name, List<String> columns, int buckets) {
            super(name, 1, buckets);
            this.columns = columns;
            this.buckets = buckets;
        }

        @Override
        void encode(RawRow row, int[] ids, int place) {
            StringBuilder combination = new StringBuilder();
            for (String column : columns) {
                List<String> texts = row.texts.get(column);
                if (texts.isEmpty()) {
                    return;
                }
                combination.append(texts.get(0)).append(SEPARATOR);
            }
            combination.setLength(combination.length() - 1);
            ids[place] = hashToId(combination.toString(), buckets);
        }
    }

    /** By the range that a number is in. */
    static final class Bucket extends IdFeature {
        private final String column;
        private final double[] boundaries;

        Bucket(String name, String column, double[] boundaries) {
            super(name, 1, boundaries.length + 1);
            this.column = column;
            this.boundaries = boundaries;
        }

        @Override
        void encode(RawRow row, int[] ids, int place) {
            double number = row.numbers.get(column);
            if (Double.isNaN(number)) {
                return;
            }
            // Not Arrays.binarySearch: for it -0 is below 0.
            int low = 0;
            int high = boundaries.length;
            while (low < high) {
                int middle = (low + high) >>> 1;
                if (boundaries[middle] <= number) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            ids[place] = FIRST_ID + low;
        }
    }

    /** By the hour, the weekday or the month of a time, in UTC. */
    static final class DatePart extends IdFeature {
        enum Part {
            HOUR(24),
            WEEKDAY(7),
            MONTH(12);

            final int values;

            Part(int values) {
                this.values = values;
            }
        }

        private final String column;
        private final Part part;

        DatePart(String name, String column, Part part) {
            super(name, 1, part.values);
            this.column = column;
            this.part = part;
        }

        @Override
        void encode(RawRow row, int[] ids, int place) {
            double seconds = row.numbers.get(column);
            if (Double.isNaN(seconds)) {
                return;
            }
            GregorianCalendar time = RawColumn.calendar();
            time.setTimeInMillis((long) seconds * 1000);
            ids[place] = FIRST_ID + value(time);
        }

        /** From 0; Monday is 0. */
        private int value(GregorianCalendar time) {
            switch (part) {
                case HOUR:
                    return time.get(Calendar.HOUR_OF_DAY);
                case WEEKDAY:
                    return (time.get(Calendar.DAY_OF_WEEK) - Calendar.MONDAY + 7) % 7;
                default:
                    return time.get(Calendar.MONTH);
            }
        }
    }

    /** FNV-1a of 32 bits over UTF-8, modulo the number of buckets. */
    private static int hashToId(String text, int buckets) {
        int hash = 0x811c9dc5;
        for (byte one : text.getBytes(StandardCharsets.UTF_8)) {
            hash = (hash ^ (one & 255)) * 16777619;
        }
        return FIRST_ID + (int) ((hash & 0xffffffffL) % buckets);
    }
}
