package io.github.kdtf.books;

import static org.junit.Assert.assertTrue;

import android.os.Looper;
import android.view.View;
import android.widget.ListView;
import java.util.Arrays;
import java.util.Locale;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;

/** From nothing to the first recommendation on the screen, in a JVM that is warm. */
@RunWith(RobolectricTestRunner.class)
public class ColdStartTest {
    private static final double SECONDS = 1.5;
    private static final int STARTS = 5;

    @Test
    public void theFirstRecommendationIsThereAtOnce() {
        start(false);
        start(true);
        report("with the catalogue read before", false);
        report("the first time, reading the catalogue", true);
    }

    private static void report(String what, boolean firstTime) {
        double[] seconds = new double[STARTS];
        for (int i = 0; i < STARTS; i++) {
            seconds[i] = start(firstTime);
        }
        Arrays.sort(seconds);
        System.out.printf(Locale.ROOT, "start to first recommendation, %s: %.2f s (%.2f to %.2f)%n",
                what, seconds[STARTS / 2], seconds[0], seconds[STARTS - 1]);
        assertTrue(what + ": " + seconds[STARTS / 2] + " s", seconds[STARTS / 2] < SECONDS);
    }

    /** Seconds from the process's beginning until a recommended book is on the screen. */
    private static double start(boolean firstTime) {
        TestApplication application = (TestApplication) RuntimeEnvironment.getApplication();
        application.onTerminate();
        if (firstTime) {
            for (String name : application.databaseList()) {
                application.deleteDatabase(name);
            }
        }
        long start = System.nanoTime();
        application.onCreate();
        MainActivity activity = Robolectric.buildActivity(MainActivity.class).setup().get();
        activity.choose(1);
        ListView list = activity.findViewById(R.id.for_you_list);
        while (!showsBook(list)) {
            Shadows.shadowOf(Looper.getMainLooper()).idle();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        activity.finish();
        return seconds;
    }

    private static boolean showsBook(ListView list) {
        for (int i = 0; i < list.getChildCount(); i++) {
            View title = list.getChildAt(i).findViewById(R.id.title);
            if (title != null && title.isShown() && title.getWidth() > 0) {
                return true;
            }
        }
        return false;
    }
}
