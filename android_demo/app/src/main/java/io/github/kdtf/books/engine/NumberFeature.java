package io.github.kdtf.books.engine;

/** A feature of a row that is a number. */
abstract class NumberFeature {
    final String name;
    final String column;

    private NumberFeature(String name, String column) {
        this.name = name;
        this.column = column;
    }

    /** Of the column's number, NaN where it is missing. */
    abstract float encode(double number);

    /** A number that is cut to the range of training, and scaled. */
    static final class Scaled extends NumberFeature {
        private final double low;
        private final double high;
        private final double offset;
        private final double divisor;
        private final double fill;
        private final boolean log;

        Scaled(String name, String column, double low, double high, double offset, double divisor,
                double fill, boolean log) {
            super(name, column);
            this.low = low;
            this.high = high;
            this.offset = offset;
            this.divisor = divisor;
            this.fill = fill;
            this.log = log;
        }

        @Override
        float encode(double number) {
            return (float) (Double.isNaN(number) ? fill : scale(number));
        }

        /** In doubles. */
        double scale(double number) {
            double cut = Math.min(Math.max(number, low), high);
            double scaled = log ? Math.signum(cut) * Math.log1p(Math.abs(cut)) : cut;
            return (scaled - offset) / divisor;
        }
    }

    /** Whether a number is missing: 1 or 0. */
    static final class Missing extends NumberFeature {
        Missing(String name, String column) {
            super(name, column);
        }

        @Override
        float encode(double number) {
            return Double.isNaN(number) ? 1 : 0;
        }
    }
}
