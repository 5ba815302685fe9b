package io.github.kdtf.books.engine;

import java.util.Arrays;
import java.util.Collections;

/** How long one recommendation takes on this device, in nanoseconds. */
public final class Latency {
    /** The first answers pay for memory and caches. */
    private static final int WARM_UP_RUNS = 20;

    public final int runs;
    public final long p50;
    public final long p90;

    private Latency(int runs, long p50, long p90) {
        this.runs = runs;
        this.p50 = p50;
        this.p90 = p90;
    }

    /** Asks for the same recommendation again and again. */
    public static Latency measure(BookRecommender recommender, int[] history, int runs) {
        long[] times = new long[runs];
        for (int i = -WARM_UP_RUNS; i < runs; i++) {
            long start = System.nanoTime();
            recommender.recommend(history, Collections.<Integer>emptyList());
            if (i >= 0) {
                times[i] = System.nanoTime() - start;
            }
        }
        Arrays.sort(times);
        return new Latency(runs, times[(runs - 1) / 2], times[(runs - 1) * 9 / 10]);
    }
}
