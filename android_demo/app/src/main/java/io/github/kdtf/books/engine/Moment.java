package io.github.kdtf.books.engine;

import java.util.Locale;
import java.util.TimeZone;

/** What a device knows at a moment. */
public final class Moment {
    final long seconds;
    final int offsetSeconds;
    final String language;

    /**
     * @param seconds Unix seconds
     * @param offsetSeconds by which the device's clock is ahead of UTC
     * @param language a tag such as "de-AT"; null if unknown
     */
    public Moment(long seconds, int offsetSeconds, String language) {
        this.seconds = seconds;
        this.offsetSeconds = offsetSeconds;
        this.language = language;
    }

    /** This device, now. */
    public static Moment now() {
        long milliseconds = System.currentTimeMillis();
        return new Moment(milliseconds / 1000,
                TimeZone.getDefault().getOffset(milliseconds) / 1000,
                Locale.getDefault().toLanguageTag());
    }
}
